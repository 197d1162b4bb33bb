"""Records what the agent's file layer does on a disk that may lose its power at any moment."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pytest

from board_agent import files
from containers.board_sim.platter import Platter, Tree


class Killed(BaseException):
    """The process ends here, with no time to clean up."""


@dataclass
class Moment:
    """The disk between two steps, and what the host was told until then."""

    after: str
    platter: Platter
    allowed: frozenset[str | None]
    token: int


class Disk:
    """Records every step below `root`; `allowed` and `token` are noted with each."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self.platter, self.moments = Platter(), list[Moment]()
        self.allowed: frozenset[str | None] = frozenset({None})
        self.token, self.steps, self.dies_at, self.every_moment = 0, 0, -1, True
        self._open: dict[int, int] = {}

    def note(self, after: str = "") -> None:
        if self.every_moment:
            self.moments.append(self.moment(after))

    def moment(self, after: str) -> Moment:
        return Moment(after, self.platter.copy(), self.allowed, self.token)

    def begin(self) -> None:
        """Before a step: this may be where the process is killed."""
        if self.steps == self.dies_at:
            self.dies_at = -1
            raise Killed
        self.steps += 1

    def at(self, path: Path) -> tuple[int, str]:
        inside = path.relative_to(self.root)
        return self.platter.find(inside.parent), inside.name

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Stand between the agent and the file system, from now on."""
        for name in ("create", "append", "put", "sync", "sync_dir", "replace", "mkdir", "rmdir"):
            patch.setattr(files, name, self._recorded(name, getattr(files, name)))
        for name in ("unlink", "symlink"):
            patch.setattr(files, name, self._recorded(name, getattr(files, name)))

    def _recorded(self, name: str, real: Callable[..., BinaryIO]) -> Callable[..., BinaryIO]:
        def step(*given: object) -> BinaryIO:
            if isinstance(given[0], Path) and self.root not in (given[0], *given[0].parents):
                return real(*given)
            self.begin()
            result = real(*given) if not name.startswith("sync") else None
            getattr(self, "_" + name)(*given, result)
            self.note(f"{name} {given[0]}")
            return result  # type: ignore[return-value]

        return step

    def _create(self, path: Path, file: BinaryIO) -> None:
        folder, name = self.at(path)
        number = self.platter.now()[folder].get(name)
        if number is None:
            number = self.platter.new()
            self.platter.pending.append([(folder, name, number)])
        self.platter.written[number] = path.read_bytes()
        self._open[file.fileno()] = number

    _append = _create

    def _put(self, file: BinaryIO, _data: bytes, _result: object) -> None:
        self.platter.written[self._open[file.fileno()]] = self._bytes(file)

    def _sync(self, file: BinaryIO, _result: object) -> None:
        number = self.platter.find(self._path(file).relative_to(self.root))
        self.platter.synced[number] = self.platter.written[number]

    def _sync_dir(self, path: Path, _result: object) -> None:
        self.platter.sync_names(self.platter.find(path.relative_to(self.root)))

    def _replace(self, source: Path, target: Path, _result: object) -> None:
        (old, name), (new, wanted) = self.at(source), self.at(target)
        number = self.platter.now()[old][name]
        self.platter.pending.append([(old, name, None), (new, wanted, number)])

    def _mkdir(self, path: Path, _result: object) -> None:
        folder, name = self.at(path)
        number = self.platter.new()
        self.platter.names[number] = {}
        self.platter.pending.append([(folder, name, number)])

    def _unlink(self, path: Path, _result: object) -> None:
        folder, name = self.at(path)
        self.platter.pending.append([(folder, name, None)])

    _rmdir = _unlink

    def _symlink(self, path: Path, target: str, _result: object) -> None:
        folder, name = self.at(path)
        number = self.platter.new()
        self.platter.links[number] = target
        self.platter.pending.append([(folder, name, number)])

    @staticmethod
    def _path(file: BinaryIO) -> Path:
        return Path(f"/proc/self/fd/{file.fileno()}").readlink()

    def _bytes(self, file: BinaryIO) -> bytes:
        return self._path(file).read_bytes()


def build(tree: Tree, root: Path) -> None:
    """Make `root` hold a tree and nothing else."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for name, content in tree.items():  # folders come before what is in them
        path = root / name
        if content is None:
            path.mkdir()
        elif isinstance(content, str):
            path.symlink_to(content)
        else:
            path.write_bytes(content)


def faults(work: Path) -> list[str]:
    """Whatever is neither one whole release nor another; empty where all is well."""
    blobs = {path.name: hashlib.sha256(path.read_bytes()) for path in work.glob("blobs/*")}
    found = [f"blob {name[:8]} is damaged" for name, h in blobs.items() if h.hexdigest() != name]
    whole = {path.parent.name for path in work.glob("releases/*/manifest.json")}
    for release in sorted(whole):
        text = (work / "releases" / release / "manifest.json").read_text()
        try:
            listed = json.loads(text)["files"].values()
        except ValueError:
            found.append(f"manifest of {release} is torn")
            continue
        lost = [one["sha256"][:8] for one in listed if one["sha256"] not in blobs]
        found += [f"{release} lacks {name}" for name in lost]
    for link in ("current", "previous"):
        path = work / link
        if path.is_symlink() and path.readlink().name not in whole:
            found.append(f"{link} leads to {path.readlink()}, which is not there")
    return found


class Tools(NamedTuple):
    """What the tests here share; they cannot import it."""

    disk: type[Disk] = Disk
    killed: type[Killed] = Killed
    build: Callable[[Tree, Path], None] = build
    faults: Callable[[Path], list[str]] = faults


@pytest.fixture
def tools() -> Tools:
    return Tools()
