"""Every change on the board's disk goes through here: whole or not at all, and down to the disk."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from pathlib import Path
from typing import Iterator

_CHUNK_BYTES = 1024 * 1024


def sync_dir(path: Path) -> None:
    """Bring the names in a folder down to the disk."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno != errno.EINVAL:  # FAT and some FUSE file systems cannot
            raise
    finally:
        os.close(folder)


def make_dir(path: Path) -> None:
    """Make a folder and those above it, durably."""
    if path.is_dir():
        return
    make_dir(path.parent)
    path.mkdir(exist_ok=True)
    sync_dir(path.parent)


def beside(path: Path) -> Path:
    """The temporary name of what is to become `path`."""
    return path.with_name(path.name + ".tmp")


def write(path: Path, data: bytes) -> None:
    """Put `data` under the name `path`: readers see the old file or all of the new one."""
    temporary = beside(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        remove(temporary)  # on a full disk every byte counts
        raise
    sync_dir(path.parent)


def rename(source: Path, target: Path) -> None:
    """Rename within one file system, durably."""
    source.replace(target)
    sync_dir(target.parent)
    if source.parent != target.parent:
        sync_dir(source.parent)


def point(link: Path, target: str) -> None:
    """Make `link` a symlink to `target` in one step, whatever it was."""
    temporary = beside(link)
    remove(temporary)
    temporary.symlink_to(target)
    rename(temporary, link)


def remove(path: Path) -> None:
    """Remove a file or symlink that may not be there."""
    path.unlink(missing_ok=True)


def size(path: Path) -> int | None:
    """The size of a regular file; None where there is none."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def sha256(path: Path) -> str:
    """The hash of what is on the disk, not of what the page cache still holds."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        os.fsync(file.fileno())
        # Clean pages are dropped, so that the next read shows what the disk kept.
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; it falls with the process that holds it."""
    with path.open("ab") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        yield
