"""Every change on the board's disk goes through here: whole or not at all, and down to the disk.

The first part is all that ever changes a disk; a test cuts before and after each of its steps.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO, Iterator

_CHUNK_BYTES = 1024 * 1024


# ----------------------------------------------------------------- the steps, each one system call
def create(path: Path) -> BinaryIO:
    """A new or emptied file, unbuffered."""
    return path.open("wb", buffering=0)


def append(path: Path) -> BinaryIO:
    """A file that what is put goes to the end of, unbuffered."""
    return path.open("ab", buffering=0)


def put(file: BinaryIO, data: bytes) -> None:
    """Write all of `data` at the file's position."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def sync(file: BinaryIO) -> None:
    """Bring what a file holds down to the disk."""
    os.fsync(file.fileno())


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


def replace(source: Path, target: Path) -> None:
    """Give `source` the name `target`, whatever had it."""
    source.replace(target)


def mkdir(path: Path) -> None:
    """Make one folder. Raises FileExistsError."""
    path.mkdir()


def rmdir(path: Path) -> None:
    """Remove an empty folder."""
    path.rmdir()


def unlink(path: Path) -> None:
    """Remove a file or symlink. Raises FileNotFoundError."""
    path.unlink()


def symlink(link: Path, target: str) -> None:
    """Make a symlink. Raises FileExistsError."""
    link.symlink_to(target)


def poke(path: Path, data: bytes) -> None:
    """Write into a file of the kernel's, which keeps nothing."""
    with path.open("r+b", buffering=0) as switch:
        switch.write(data)


# ------------------------------------------------------------------------- what is made of them
def make_dir(path: Path) -> None:
    """Make a folder and those above it, durably."""
    if not path.parent.is_dir():
        make_dir(path.parent)
    if not path.is_dir():
        with contextlib.suppress(FileExistsError):
            mkdir(path)
    # Also where it is there: whoever made it may have been killed before this.
    sync_dir(path.parent)


def beside(path: Path) -> Path:
    """The temporary name of what is to become `path`."""
    return path.with_name(path.name + ".tmp")


def write(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Put `data` under the name `path`: readers see the old file or all of the new one.

    Not durable: for what means nothing after a restart.
    """
    temporary = beside(path)
    try:
        with create(temporary) as file:
            put(file, data)
            if durable:
                sync(file)
        replace(temporary, path)
    except OSError:
        remove(temporary)  # on a full disk every byte counts
        raise
    if durable:
        sync_dir(path.parent)


def rename(source: Path, target: Path) -> None:
    """Rename within one file system, durably."""
    replace(source, target)
    sync_dir(target.parent)
    if source.parent != target.parent:
        sync_dir(source.parent)


def point(link: Path, target: str) -> None:
    """Make `link` a symlink to `target` in one step, whatever it was."""
    temporary = beside(link)
    remove(temporary)
    symlink(temporary, target)
    rename(temporary, link)


def remove(path: Path) -> None:
    """Remove a file or symlink that may not be there."""
    with contextlib.suppress(FileNotFoundError):
        unlink(path)


def remove_dir(folder: Path) -> None:
    """Remove a folder that may not be there, with the files in it."""
    with contextlib.suppress(FileNotFoundError):
        for path in list(folder.iterdir()):
            if path.is_dir() and not path.is_symlink():
                remove_dir(path)
            else:
                remove(path)
        rmdir(folder)


def copy(source: Path, target: Path) -> None:
    """Copy into a file of its own: whoever has `source` open reaches nothing of it."""
    with source.open("rb") as old, create(target) as new:
        for chunk in iter(lambda: old.read(_CHUNK_BYTES), b""):
            put(new, chunk)


# --------------------------------------------------------------------------- what changes nothing
def size(path: Path) -> int | None:
    """The size of a regular file; None where there is none."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def sizes(folder: Path) -> dict[str, int]:
    """The regular files of a folder by name, the newest first; none where there is no folder."""
    found = []
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False):
                    about = entry.stat(follow_symlinks=False)
                    found.append((about.st_mtime_ns, entry.name, about.st_size))
    return {name: size_bytes for _, name, size_bytes in sorted(found, reverse=True)}


def names(folder: Path) -> list[str]:
    """What a folder holds, sorted; nothing where there is no folder."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names, and nothing made of them
    except (FileNotFoundError, NotADirectoryError):
        return []


def same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder or file that is there."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def sha256(path: Path) -> str:
    """The hash of what is on the disk, not of what the page cache still holds."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        sync(file)
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
