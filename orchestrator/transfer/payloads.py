"""What is sent in the place of a blob: packed, or a delta. Made once, kept, and bounded."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from orchestrator.hashing import sha256_file
from orchestrator.locks import hold

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

#: What all kept payloads may take together.
LIMIT_BYTES = 4 * 2**30
#: A payload that was used so recently may be on its way to a board from another process.
_IN_USE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Payload:
    """A file to send."""

    sha256: str
    size_bytes: int
    path: Path


class Once(Generic[Key, Value]):
    """Values that are worked out once, however many threads ask at the same time."""

    def __init__(self) -> None:
        self._known: dict[Key, Value] = {}
        self._turns: dict[Key, Lock] = {}
        self._turn = Lock()

    def get(self, key: Key, work_out: Callable[[], Value]) -> Value:
        """Give the value of a key; who comes second waits for who came first."""
        with self._turn:
            turn = self._turns.setdefault(key, Lock())
        with turn:
            if key not in self._known:
                self._known[key] = work_out()
            return self._known[key]

    def forget(self, key: Key) -> None:
        """Work the value out again when it is asked for next."""
        self._known.pop(key, None)


class Payloads:
    """One file per payload, `<name>.<sha256>`, of which the least recently used go first."""

    def __init__(self, folder: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder, self._limit_bytes = folder, limit_bytes
        self._made = Once[str, Payload]()

    def __reduce__(self) -> tuple[type[Payloads], tuple[Path, int]]:
        """Go to another process without the locks of this one."""
        return Payloads, (self._folder, self._limit_bytes)

    def get(self, name: str, write: Callable[[Path], object]) -> Payload:
        """Give a payload, written by `write` where it is not there yet, by one process alone."""
        return self._made.get(name, lambda: self._find_or_make(name, write))

    def forget(self, name: str) -> None:
        """Remove a payload that turned out to be damaged."""
        for path in self._folder.glob(f"{name}.*"):
            path.unlink(missing_ok=True)
        self._made.forget(name)

    def _find_or_make(self, name: str, write: Callable[[Path], object]) -> Payload:
        lock = self._folder / f"{name}.lock"
        with hold(lock, lambda: None):
            found = self._find(name) or self._make(name, write)
            lock.unlink(missing_ok=True)
        self._prune()
        return found

    def _find(self, name: str) -> Payload | None:
        for path in self._folder.glob(f"{name}.*"):
            sha256 = path.suffix[1:]
            if sha256 in {"lock", "half"}:
                continue
            if sha256_file(path) == sha256:
                os.utime(path)
                return Payload(sha256, path.stat().st_size, path)
            path.unlink()  # the disk let it rot
        return None

    def _make(self, name: str, write: Callable[[Path], object]) -> Payload:
        half = self._folder / f"{name}.half"
        try:
            write(half)
            sha256 = sha256_file(half)
            path = half.rename(half.with_name(f"{name}.{sha256}"))
        finally:
            half.unlink(missing_ok=True)
        return Payload(sha256, path.stat().st_size, path)

    def _prune(self) -> None:
        kept = 0
        found = []
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):  # another process prunes, too
                about = path.stat()
                found.append((about.st_mtime, about.st_size, path))
        for modified, size_bytes, path in sorted(found, reverse=True):
            kept += size_bytes
            if kept > self._limit_bytes and modified < time.time() - _IN_USE_S:
                path.unlink(missing_ok=True)
