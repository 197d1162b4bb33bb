"""Calibration archives: opened for real, unpacked by content, never outside their folder."""

import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO


def extract(archive: Path, folder: Path) -> list[Path]:
    """Unpack a tar, tar.gz or zip; give its files in the order of their names.

    Raises FileNotFoundError; ValueError when it is no archive, holds a link or leaves its folder.
    """
    if not archive.is_file():
        raise FileNotFoundError(f"Could not find file `{archive}'")
    folder.mkdir(parents=True, exist_ok=True)
    members = _tar_members if tarfile.is_tarfile(archive) else _zip_members
    files = []
    for name, content in members(archive):
        target = folder / _inside(name, archive)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            shutil.copyfileobj(content, out)
        files.append(target)
    return sorted(files)


def _tar_members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            if content is not None:
                yield member.name, content
            elif not member.isdir():
                raise ValueError(f"{archive} holds {member.name!r}, which is no regular file")


def _zip_members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    if not zipfile.is_zipfile(archive):
        raise ValueError(f"{archive} is no tar, tar.gz or zip file")
    with zipfile.ZipFile(archive) as bundle:
        for info in bundle.infolist():
            if not info.is_dir():
                with bundle.open(info) as content:
                    yield info.filename, content


def _inside(name: str, archive: Path) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise ValueError(f"{archive} holds {name!r}, which is outside of its folder")
    return path
