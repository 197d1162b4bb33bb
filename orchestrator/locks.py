"""Locks between processes of one machine; the kernel frees them when their holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

#: Where those that are at work say so, below a folder of locks.
_PRESENT = "present"


@contextmanager
def hold(path: Path, waits: Callable[[], None], *, shared: bool = False) -> Iterator[None]:
    """Hold the lock of a file, made if need be; `waits` is called when another process has it.

    Several may hold it `shared`, while nobody holds it alone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    said = False
    while True:
        with path.open("a") as stream:
            if not said and not _try(stream, kind):
                said = True
                waits()
            fcntl.flock(stream, kind)
            if _is_at(stream, path):  # else it was removed while we waited
                yield
                return


@contextmanager
def try_hold(path: Path) -> Iterator[bool]:
    """Hold the lock of a file that is there, and say so; False where it is held or gone."""
    try:
        stream = path.open()
    except FileNotFoundError:
        yield False
        return
    with stream:
        yield _try(stream, fcntl.LOCK_EX) and _is_at(stream, path)


@contextmanager
def present(folder: Path) -> Iterator[None]:
    """Let others see since when this process is at work, for as long as it is."""
    place = folder / _PRESENT
    place.mkdir(parents=True, exist_ok=True)
    since = time.time()
    name = f"{os.getpid()}-{os.urandom(4).hex()}"
    # It gets the name that others look for only when it is locked.
    path = place / f".{name}"
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.write(str(since))
        stream.flush()
        path.rename(place / name)
        try:
            yield
        finally:
            (place / name).unlink(missing_ok=True)


def at_work_since(folder: Path) -> float | None:
    """Give when the first of those that are at work began, in seconds since the epoch.

    What killed processes left is removed.
    """
    starts = []
    for path in (folder / _PRESENT).glob("*"):
        with try_hold(path) as free, suppress(FileNotFoundError, ValueError):
            if free and not path.name.startswith("."):
                path.unlink()
            elif not free:
                starts.append(float(path.read_text()))
    return min(starts, default=None)


def _try(stream: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(stream: IO[str], path: Path) -> bool:
    """Say whether the path still leads to the open file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(stream.fileno())
    return (found.st_dev, found.st_ino) == (mine.st_dev, mine.st_ino)
