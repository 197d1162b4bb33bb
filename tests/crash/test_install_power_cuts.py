"""Cuts before and after every step of installing packages, and boots what may be left."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from board_agent import files, main, request, sites
from board_agent.answer import answer
from board_agent.protocol import token_name

if TYPE_CHECKING:
    from tests.conftest import Proof
    from tests.crash.conftest import Disk, Moment, Tools

pytestmark = pytest.mark.slow

Sabotage = Callable[[pytest.MonkeyPatch], None]
SETS: Mapping[str, Mapping[str, bytes]] = {
    f"{sites.tag()}-{'1' * 16}": {"numpy/__init__.py": b"one", "numpy/core/a.so": b"old " * 4},
    f"{sites.tag()}-{'2' * 16}": {"numpy/__init__.py": b"two", "numpy/core/b.so": b"new " * 4},
}


def wheel(content: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return made.getvalue()


class Bench:
    """A board whose agent runs in this process, and the host that installs packages."""

    def __init__(self, folder: Path, tools: Tools, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.tools, self.patch = folder, tools, patch
        self.disk: Disk | None = None
        self.boots, self.variants = 0, 0
        self.start(folder / "home")

    def start(self, home: Path) -> None:
        self.boots += 1
        self.home, self.work = home, home / ".orch"
        for name, text in (
            ("proc/uptime", "9.0 1.0"),
            ("proc/sys/kernel/random/boot_id", f"boot-{self.boots}"),
        ):
            path = self.folder / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.patch.setenv("ORCH_SYSROOT", str(self.folder / "root"))

    def ask(self, kind: str, **fields: object) -> dict[str, Any]:
        message = {"version": 2, "kind": kind, "work_dir": str(self.work)} | fields
        asked = request.read(json.dumps(message).encode())
        reply = answer(lambda: main.carry_out(asked, -1))
        assert reply is not None
        assert reply["ok"], reply
        result: dict[str, Any] = reply["result"]
        return result

    def install(self, name: str) -> None:
        """All that a host does for a set, in its order."""
        content = wheel(SETS[name])
        digest = hashlib.sha256(content).hexdigest()
        lease = {"owner": "me", "ttl_s": 60}
        found = self.ask("probe", blobs=[digest], lease=lease)
        token = found["lease"]["token"]
        if digest not in found["blobs"]:
            part = self.work / "incoming" / token_name(token) / f"{digest}.part"
            with files.create(part) as file:
                files.put(file, content)
        listed = {"numpy-1.0-py3-none-any.whl": {"sha256": digest, "size_bytes": len(content)}}
        if self.disk is not None:
            self.disk.allowed |= {name}
        self.ask("install", token=token, name=name, manifest={"files": listed})
        if self.disk is not None:
            self.disk.allowed = frozenset({name})
            self.disk.note(f"{name} was acknowledged")
        self.ask("lease", op="release", token=token)

    def record(self, sabotage: Sabotage) -> Disk:
        disk = self.disk = self.tools.disk(self.folder / "recorded")
        self.start(disk.root)
        with self.patch.context() as inner:
            disk.install(inner)
            sabotage(inner)
            for name in SETS:
                self.install(name)
        self.disk = None
        return disk

    def torn(self, disk: Disk) -> Iterator[str]:
        """What is wrong with any disk that a cut may leave."""
        seen = set()
        for moment in disk.moments:
            for tree in moment.platter.after_a_cut():
                key = (frozenset(tree.items()), moment.allowed)
                if key not in seen:
                    seen.add(key)
                    self.variants += 1
                    self.start(self.folder / "boot")
                    self.tools.build(tree, self.home)
                    yield from (f"after {moment.after}: {text}" for text in self.judge(moment))

    def judge(self, moment: Moment) -> list[str]:
        with self.patch.context() as inner:
            for name in ("sync", "sync_dir"):  # this disk keeps its power
                inner.setattr(files, name, lambda _what: None)
            used = sites.current(self.work)
            found = [] if used in moment.allowed else [f"{used} is used, not {moment.allowed}"]
            found += self.missing(used)
            try:
                newest = max(SETS)
                self.install(newest)
                found += self.missing(newest)
                left = {path.name for path in (self.work / "python").iterdir()}
                if left != {newest, "current"}:
                    found.append(f"{sorted(left)} is left")
            except (AssertionError, OSError) as error:
                found.append(f"the next install fails: {error}")
        return found

    def missing(self, name: str | None) -> list[str]:
        folder = self.work / "python" / str(name)
        wanted = SETS[name] if name else {}
        return [
            f"{path} of {name} is not whole"
            for path, data in wanted.items()
            if not (folder / path).is_file() or (folder / path).read_bytes() != data
        ]


@pytest.fixture
def bench(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Bench(Path(folder), tools, monkeypatch)


def test_a_cut_leaves_the_old_packages_or_the_new_ones(bench: Bench, proof: Proof) -> None:
    disk = bench.record(lambda _patch: None)

    torn = list(bench.torn(disk))

    points = 2 * disk.steps
    proof(f"cut points = {points}, disks booted = {bench.variants}, torn = {len(torn)}")
    assert torn[:3] == []
    assert points > 100


def _no_sync(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(files, "sync", lambda _file: None)


def _no_folder_sync(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(files, "sync_dir", lambda _path: None)


@pytest.mark.parametrize("sabotage", [_no_sync, _no_folder_sync])
def test_without_its_syncs_an_install_is_seen_to_tear(bench: Bench, sabotage: Sabotage) -> None:
    disk = bench.record(sabotage)

    assert any(bench.torn(disk))
