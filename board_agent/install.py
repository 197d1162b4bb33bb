"""Install Python packages beside the system's: unpack wheels as a set, use it in one step."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path
from typing import Any

from board_agent import files, release, request, sites
from board_agent.errors import AgentError
from board_agent.lease import Lease
from board_agent.request import File
from board_agent.results import Results
from board_agent.store import Store

#: A set that unpacks to more is no runtime of a board.
MAX_UNPACKED_BYTES = 2 * 1024 * 1024 * 1024
#: `<wheel>.data/<part>/`, and a file below.
_DATA_PARTS = 3
#: The parts of a wheel's `.data` folder that are packages too.
_LIBRARIES = ("purelib", "platlib")


def carry_out(asked: dict[str, Any], lease: Lease) -> dict[str, Any]:
    """Unpack the wheels that were sent as the set `name`, and use it.

    Raises:
        AgentError: STALE_TOKEN, HASH_MISMATCH, BAD_REQUEST where a wheel must not be unpacked.
    """
    name = request.matching(asked, "name", sites.NAME)
    wheels = request.files(request.manifest(asked))
    place = lease.place
    if not name.startswith(sites.tag() + "-"):
        raise request.refuse(f"name is {name}, this Python is {sites.tag()}")
    with lease.fenced(place.token):
        missing = not place.path("python", name).is_dir()
        if missing:
            _verify(place, wheels)
    # Unpacked without the lock, for the heartbeat has to come through; nobody else has this name.
    unfinished = place.path("python", f"{name}.{place.token}.tmp")
    if missing:
        files.make_dir(unfinished.parent)
        files.remove_dir(unfinished)
        files.mkdir(unfinished)
        for wheel in wheels:
            _unpack(place.blob(wheel.sha256), wheel.name, unfinished)
        _sync_tree(unfinished)
    with lease.fenced(place.token):
        return {"installed": name, "removed": _use(place, name, wheels, unfinished)}


def _verify(place: Store, wheels: list[File]) -> None:
    """Look at every wheel before any is blamed: all that is damaged is to be sent again at once."""
    damage = None
    for wheel in wheels:
        try:
            release.complete(place, wheel, None)
        except AgentError as error:  # noqa: PERF203 - a handful, each read from the disk
            damage = damage or error
    if damage is not None:
        raise damage


def _use(place: Store, name: str, wheels: list[File], unfinished: Path) -> list[str]:
    """Give a set its name and point to it; then remove the wheels and what is not used any more."""
    folder = place.path("python")
    if not (folder / name).is_dir():
        files.rename(unfinished, folder / name)
    if sites.current(place.work_dir) != name:
        files.point(folder / "current", name)
    for wheel in wheels:
        files.remove(place.blob(wheel.sha256))
    if Results(place.path("results")).live():  # it may still load from an older set
        return []
    kept = {"current", "selftest.json", name}
    old = [one for one in files.names(folder) if one not in kept]
    for one in old:
        files.remove_dir(folder / one)
    return old


def _unpack(blob: Path, name: str, folder: Path) -> None:
    try:
        with zipfile.ZipFile(str(blob)) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            if sum(one.file_size for one in members) > MAX_UNPACKED_BYTES:
                raise request.refuse(f"{name} unpacks to over {MAX_UNPACKED_BYTES} bytes")
            for member in members:
                target = _target(member, name, folder)
                if target is not None:
                    _make_dirs(target.parent, folder)
                    with files.create(target) as file:
                        files.put(file, archive.read(member))
    except zipfile.BadZipFile as error:
        raise AgentError("BAD_REQUEST", f"{name}: no sound wheel: {error}") from error


def _target(member: zipfile.ZipInfo, wheel: str, folder: Path) -> Path | None:
    """Where a file of a wheel belongs; None for scripts and headers, which nobody runs here."""
    parts = member.filename.split("/")
    if any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
        raise request.refuse(f"{wheel}: {member.filename!r} leads out of the wheel")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise request.refuse(f"{wheel}: {member.filename!r} is a symlink")
    if parts[0].endswith(".data"):
        if len(parts) < _DATA_PARTS or parts[1] not in _LIBRARIES:
            return None
        parts = parts[2:]
    return folder.joinpath(*parts)


def _make_dirs(path: Path, top: Path) -> None:
    """Folders without a sync each: the tree is synced as a whole before it gets its name."""
    if path != top and not path.is_dir():
        _make_dirs(path.parent, top)
        files.mkdir(path)


def _sync_tree(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            _sync_tree(path)
        else:
            with path.open("rb") as file:
                files.sync(file)
    files.sync_dir(folder)
