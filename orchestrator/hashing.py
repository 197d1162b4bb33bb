"""sha256 of files, folders and values: the names of artifacts and the keys of actions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from pathlib import Path

from orchestrator.domain import Json


def sha256_file(path: Path) -> str:
    """Give the sha256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_files(root: Path, files: Iterable[Path]) -> str:
    """Give one sha256 for many files below `root`: their relative names and contents."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(root).as_posix()}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()


def as_json(value: object) -> Json:
    """Give values, dataclasses and paths among them, as what JSON can hold. Else TypeError."""
    plain: Json = json.loads(json.dumps(value, default=_plain))
    return plain


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def canonical_json(value: Json) -> str:
    """Give the one JSON text of a value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def sha256_json(value: Json) -> str:
    """Give the sha256 of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
