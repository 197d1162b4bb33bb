"""Blobs on any file system that fsspec knows: a local folder, or `s3://bucket/prefix`."""

from __future__ import annotations

import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import fsspec

from orchestrator.domain import Artifact, StoredBlob
from orchestrator.errors import OrchError
from orchestrator.hashing import sha256_file

_BLOB = re.compile("[0-9a-f]{64}")
#: How the name of a file ends that is still being written.
_HALF = ".part"


class FsspecBlobs:
    """One file per blob, `<2 hex>/<sha256>`, written under another name and renamed."""

    def __init__(self, url: str) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(url)

    def has(self, sha256: str) -> bool:
        """Say whether the blob is there."""
        return bool(self._fs.exists(self._path(sha256)))

    def put(self, source: Path, name: str) -> Artifact:
        """Keep a copy of the file; the same content twice is one blob."""
        artifact = Artifact(sha256_file(source), source.stat().st_size, name)
        final = self._path(artifact.sha256)
        if not self._fs.exists(final):
            self._fs.makedirs(final.rpartition("/")[0], exist_ok=True)
            partial = f"{final}.{uuid.uuid4().hex}{_HALF}"
            self._fs.put_file(str(source), partial)
            self._fs.mv(partial, final)
        return artifact

    @contextmanager
    def open(self, sha256: str) -> Iterator[Path]:
        """Give a readable local file with the blob's content. Raises KeyError, OrchError."""
        path = self._path(sha256)
        if not self._fs.exists(path):
            raise KeyError(sha256)
        if "file" in self._fs.protocol:
            self._check(Path(path), sha256)
            yield Path(path)
            return
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / sha256
            self._fs.get_file(path, str(local))
            self._check(local, sha256)
            yield local

    def stored(self) -> list[StoredBlob]:
        """List all whole blobs."""
        found = []
        for path, size in self._files():
            name = path.rpartition("/")[2]
            # A writer of now may rename or remove what was listed a moment ago.
            with suppress(FileNotFoundError):
                if _BLOB.fullmatch(name):
                    found.append(StoredBlob(name, size, self._modified(path)))
        return found

    def remove(self, sha256: str) -> None:
        """Remove a blob, if it is there."""
        with suppress(FileNotFoundError):
            self._fs.rm_file(self._path(sha256))

    def remove_halves(self, before: float, *, dry_run: bool = False) -> int:
        """Remove what writers left half done before that time; give its bytes."""
        freed = 0
        for path, size in self._files():
            with suppress(FileNotFoundError):
                if path.endswith(_HALF) and self._modified(path) < before:
                    freed += size
                    if not dry_run:
                        self._fs.rm_file(path)
        return freed

    def _files(self) -> list[tuple[str, int]]:
        """List all files with their sizes, as they are now."""
        self._fs.invalidate_cache()
        found = self._fs.find(self._root, detail=True)
        return [(path, int(info["size"])) for path, info in found.items()]

    def _modified(self, path: str) -> float:
        moment: datetime = self._fs.modified(path)
        return moment.timestamp()

    def _check(self, local: Path, sha256: str) -> None:
        """Remove a blob that is not what its name says, so that it is made again."""
        if sha256_file(local) != sha256:
            self._fs.rm_file(self._path(sha256))
            raise OrchError(
                f"artifact {sha256[:12]} was damaged on disk and has been removed",
                "run the same command again: it is made anew",
            )

    def _path(self, sha256: str) -> str:
        return f"{self._root}/{sha256[:2]}/{sha256}"
