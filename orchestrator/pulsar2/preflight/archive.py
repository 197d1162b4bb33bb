"""A calibration archive, read once from front to back; nothing is unpacked."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

_OTHER_PACKERS = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"7z\xbc\xaf": "7z", b"Rar!": "rar"}
_JUNK = {".DS_Store", "Thumbs.db", "desktop.ini"}
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # zipfile's for a password, and NotImplementedError for an unknown packer
)


class BrokenArchive(ValueError):  # noqa: N818 - what the file is
    """It cannot be read to its end; the message says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive: `content` can be read until the next entry is asked for."""

    name: str
    size_bytes: int
    content: IO[bytes]

    def read(self, most_bytes: int) -> bytes:
        """Read it up to a length. Raises BrokenArchive."""
        try:
            return self.content.read(most_bytes)
        except _BROKEN as error:
            raise BrokenArchive(f"{self.name}: {error}") from error


def entries_of(archive: Path) -> Iterator[Entry]:
    """Give the files in the order of the archive.

    Raises:
        BrokenArchive: it is none of tar, tar.gz and zip, is cut off, or holds what is no file, or
            a file outside of its folder.
    """
    try:
        with archive.open("rb") as stream:
            beginning = stream.read(8)
        for magic, packer in _OTHER_PACKERS.items():
            if beginning.startswith(magic):
                raise BrokenArchive(f"is packed by {packer}; it must be tar, tar.gz or zip")
        # A tar may end in a file that looks like the end of a zip, so tar is asked first.
        yield from _tar(archive) if tarfile.is_tarfile(archive) else _zip(archive)
    except _BROKEN as error:
        raise BrokenArchive(f"is no whole tar, tar.gz or zip: {error}") from error


def is_junk(name: str) -> bool:
    """Tell whether a desktop left the file behind."""
    path = PurePosixPath(name)
    return path.name in _JUNK or path.name.startswith("._") or "__MACOSX" in path.parts


def _tar(archive: Path) -> Iterator[Entry]:
    with tarfile.open(archive) as tar:
        for member in tar:
            _refuse_outside(member.name)
            content = tar.extractfile(member) if member.isreg() else None
            if content is not None:
                yield Entry(member.name, member.size, content)
            elif not member.isdir():
                raise BrokenArchive(f"holds {member.name!r}, which is a link or a device")


def _zip(archive: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(archive) as bundle:
        for info in bundle.infolist():
            _refuse_outside(info.filename)
            if not info.is_dir():
                with bundle.open(info) as content:
                    yield Entry(info.filename, info.file_size, content)


def _refuse_outside(name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise BrokenArchive(f"holds {name!r}, which is outside of its folder")
