"""Public host keys: as text, and as known_hosts files keep them (sshd(8), SSH_KNOWN_HOSTS)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from orchestrator.errors import HostKeyError

SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public key: its type, and its bytes as they go over the wire."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """`SHA256:…`, as `ssh-keygen -l` prints it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode()
        return f"SHA256:{digest.rstrip('=')}"

    @property
    def line(self) -> str:
        """`ssh-ed25519 AAAA…`, as it is pinned in an inventory."""
        return f"{self.kind} {base64.b64encode(self.blob).decode()}"


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """What may be shown, and what must never be."""

    trusted: tuple[HostKey, ...]
    revoked: tuple[HostKey, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    marker: str
    names: str
    key: str


def host_key_name(host: str, port: int) -> str:
    """Give the name under which known_hosts keeps a server."""
    return host if port == SSH_PORT else f"[{host}]:{port}"


def parse_key(text: str) -> HostKey:
    """Read `ssh-ed25519 AAAA…`, with or without a comment. Raises ValueError."""
    kind, data = text.split(maxsplit=2)[:2]
    try:
        blob = base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    size = int.from_bytes(blob[:4], "big")
    if blob[4 : 4 + size] != kind.encode() or len(blob) <= 4 + size:
        raise ValueError(f"its bytes are not those of a key of type {kind}")
    return HostKey(kind, blob)


def known_keys(files: Iterable[Path], name: str, subject: str) -> KnownKeys:
    """Collect all keys that the files have for a server; a missing file has none.

    Certificate authorities are passed over: only plain keys are known here.

    Raises:
        HostKeyError: a line for this server holds no public key.
    """
    found: dict[str, list[HostKey]] = {"": [], "@revoked": []}
    for file in files:
        for line in _lines_of(file):
            if line.marker in found and _is_for(line.names, name):
                try:
                    found[line.marker].append(parse_key(line.key))
                except ValueError as error:
                    raise HostKeyError(
                        f"{subject}: {file} has a line without a public key: {line.key[:60]!r}",
                        "correct or delete that line",
                    ) from error
    return KnownKeys(tuple(found[""]), tuple(found["@revoked"]))


def remember(name: str, keys: Sequence[HostKey], file: Path) -> None:
    """Keep the keys of a server, in place of all others that were kept for it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = file.read_text().splitlines() if file.exists() else []
    others = [line for line in lines if not line.startswith(f"{name} ")]
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.write_text("\n".join([*others, *(f"{name} {key.line}" for key in keys)]) + "\n")
    fresh.replace(file)


def _lines_of(file: Path) -> tuple[_Line, ...]:
    try:
        status = file.stat()
        return _parsed(file, status.st_mtime_ns, status.st_size)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise HostKeyError(f"{file}: it cannot be read: {error.strerror}") from error


@lru_cache(maxsize=8)  # a fleet asks for the same files once per board
def _parsed(file: Path, _changed_ns: int, _size: int) -> tuple[_Line, ...]:
    return tuple(_parse(file.read_text(errors="replace")))


def _parse(text: str) -> Iterator[_Line]:
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        if words:
            yield _Line(marker, words[0], " ".join(words[1:3]))


def _is_for(names: str, name: str) -> bool:
    """Match hashed names, lists, wildcards and `!` as OpenSSH does."""
    matches = False
    for pattern in names.split(","):
        if pattern.startswith("|1|"):
            matches |= _is_hash_of(pattern, name)
        elif pattern.startswith("!"):
            if _fits(pattern[1:], name):
                return False
        else:
            matches |= _fits(pattern, name)
    return matches


def _fits(pattern: str, name: str) -> bool:
    if "*" not in pattern and "?" not in pattern:
        return pattern.lower() == name.lower()
    # Brackets are part of the name here, never a set of letters.
    return fnmatchcase(name.lower(), pattern.lower().replace("[", "[[]"))


def _is_hash_of(pattern: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part) for part in pattern[3:].split("|"))
    except ValueError:
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)
