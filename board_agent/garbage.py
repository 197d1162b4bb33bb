"""What nothing needs any more, and its removal: a release goes before the blobs it names."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple, Sequence

from board_agent import files, request
from board_agent.protocol import token_name
from board_agent.results import Registered, Results
from board_agent.store import Store, manifest_of, release_at, releases

#: What a host sends before it has a lease, and how long that may lie.
_UNLEASED_S = 3600.0
#: The program, and its code as some Python compiled it.
_AGENT = re.compile(r"([0-9a-f]{64}\.pyz)(\.[a-z]+-\d+)?")


class Garbage(NamedTuple):
    """What is to be removed."""

    releases: list[str]
    blobs: dict[str, int]
    files: list[Path]
    folders: list[Path]
    agents: int

    def size_bytes(self, place: Store) -> int:
        """What its removal frees, beside the folders themselves."""
        manifests = (place.path("releases", name, "manifest.json") for name in self.releases)
        parts = sum(sum(files.sizes(folder).values()) for folder in self.folders)
        loose = sum(files.size(path) or 0 for path in [*manifests, *self.files])
        return sum(self.blobs.values()) + parts + loose


def collect(place: Store, keep: Sequence[str], *, dry_run: bool) -> dict[str, Any]:
    """Remove what neither a release that is kept, nor `keep`, nor a worker needs."""
    results = Results(place.path("results"))
    worker = results.live() if results.folder.is_dir() else None
    found = find(place, keep, worker, Path(sys.argv[0]).absolute())
    freed_bytes = found.size_bytes(place)
    if not dry_run:
        _remove(place, found)
        if worker is None and results.folder.is_dir():
            results.prune()
    return {
        "removed": {
            "releases": found.releases,
            "blobs": list(found.blobs),
            "agents": found.agents,
            "parts": len(found.files) - found.agents + sum(map(_count, found.folders)),
        },
        "freed_bytes": freed_bytes,
    }


def find(place: Store, keep: Sequence[str], worker: Registered | None, running: Path) -> Garbage:
    """What can go; `running` is the program that asks."""
    kept = _kept_releases(place)
    needed = _needed_by(place, kept)
    unneeded = [name for name in files.names(place.path("releases")) if name not in kept]
    blobs: dict[str, int] = {}
    if needed is not None:
        needed.update(keep, worker.blobs if worker else ())
        have = files.sizes(place.path("blobs"))
        blobs = {name: size for name, size in have.items() if name not in needed}
    agents = [] if worker else _old_agents(place, running)
    return Garbage(unneeded, blobs, [*agents, *_left(place)], _old_incoming(place), len(agents))


def _needed_by(place: Store, releases: Sequence[str]) -> set[str] | None:
    """The blobs that releases name; None where one cannot say: then every blob may be needed."""
    needed: set[str] = set()
    for release_id in releases:
        manifest = manifest_of(place, release_id)
        if manifest is None:
            return None
        needed.update(file.sha256 for file in request.files(manifest))
    return needed


def _kept_releases(place: Store) -> list[str]:
    """Current, previous, and the newest that was staged after the current one."""
    kept = [name for name in (release_at(place, "current"), release_at(place, "previous")) if name]
    since = _written_ns(place, kept[0]) if kept else 0
    newer = (name for name in releases(place) if name not in kept)
    staged = [name for name in newer if _written_ns(place, name) >= since]
    return [*kept, *staged[:1]]


def _written_ns(place: Store, release_id: str) -> int:
    try:
        return place.path("releases", release_id, "manifest.json").stat().st_mtime_ns
    except OSError:
        return 0


def _old_agents(place: Store, running: Path) -> list[Path]:
    folder = place.path("agent")
    if not files.same(running.parent, folder):  # whose program it is cannot be told
        return []
    found = map(_AGENT.fullmatch, files.names(folder))
    return [folder / one.group() for one in found if one and one.group(1) != running.name]


def _left(place: Store) -> list[Path]:
    """Parts that nothing was made of, and what an agent's arrival left behind."""
    mine = place.incoming(place.token)
    parts = [mine / name for name in files.sizes(mine)]
    now_s = time.time()
    folders = (place.path("agent"), place.path("incoming"))
    loose = (one / name for one in folders for name in files.sizes(one) if name.endswith(".part"))
    old = [path for path in loose if abs(now_s - path.lstat().st_mtime) > _UNLEASED_S]
    return [*parts, *(path for path in old if path not in parts)]


def _old_incoming(place: Store) -> list[Path]:
    folder, mine = place.path("incoming"), token_name(place.token or 0)
    named = (name for name in files.names(folder) if name < mine)
    return [folder / name for name in named if (folder / name).is_dir()]


def _count(folder: Path) -> int:
    return len(files.sizes(folder))


def _remove(place: Store, found: Garbage) -> None:
    for name in found.releases:
        files.remove_dir(place.path("releases", name))
    if found.blobs and place.path("releases").is_dir():
        # Gone for good before what they name goes, be it that an agent was killed in between.
        files.sync_dir(place.path("releases"))
    for name in found.blobs:
        files.remove(place.blob(name))
    for path in found.files:
        files.remove(path)
    for folder in found.folders:
        files.remove_dir(folder)
