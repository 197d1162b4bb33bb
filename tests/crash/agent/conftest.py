"""A board and its host in this process, and what judges every disk that a cut may leave."""

from __future__ import annotations

import hashlib
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from board_agent import files, main, patch, request
from board_agent.answer import answer
from board_agent.protocol import token_name
from orchestrator.transfer.delta import operation

if TYPE_CHECKING:
    from containers.board_sim.platter import Tree
    from tests.crash.conftest import Disk, Moment, Tools

Sabotage = Callable[[pytest.MonkeyPatch], None]

RELEASES = {
    "r1": {"model": b"one " * 8, "sidecar": b"{}"},
    "r2": {"model": b"two " * 8, "sidecar": b"{}"},
    "r3": {"model": b"three " * 8, "sidecar": b"[]"},
}
PACKED = "r2"
DELTA_BASE = RELEASES["r2"]["model"]
INPUT = b"an image"
AGENT, OLD_AGENT = ("a" * 64 + ".pyz", "b" * 64 + ".pyz")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Bench:
    """A board whose agent runs in this process, and the host that talks to it."""

    def __init__(self, home: Path, sysroot: Path, disk: Disk | None = None) -> None:
        self.home, self.work, self.sysroot, self.disk = home, home / ".orch", sysroot, disk
        self.token = 0

    def boot(self, name: str) -> None:
        for path, text in (("proc/uptime", "9.0 1.0"), ("proc/sys/kernel/random/boot_id", name)):
            (self.sysroot / path).parent.mkdir(parents=True, exist_ok=True)
            (self.sysroot / path).write_text(text)

    def ask(self, kind: str, **fields: object) -> dict[str, Any]:
        message = {"version": 2, "kind": kind, "work_dir": str(self.work)} | fields
        asked = request.read(json.dumps(message).encode())
        reply = answer(lambda: main.carry_out(asked, -1))
        assert reply is not None
        assert reply["ok"], reply
        result: dict[str, Any] = reply["result"]
        return result

    def probe(self, blobs: list[str]) -> dict[str, Any]:
        """Take the lease; no number may be given that was given before."""
        lease = {"owner": "me", "ttl_s": 60}
        found = self.ask("probe", blobs=blobs, lease=lease)
        assert found["lease"] is not None, found["holder"]
        assert found["lease"]["token"] > self.token
        self.token = found["lease"]["token"]
        if self.disk is not None:
            self.disk.token = self.token
        return found

    def deploy(self, name: str) -> None:
        """All that a host does for a release, in its order."""
        contents = [*RELEASES[name].values(), INPUT]
        found = self.probe([digest(data) for data in contents])
        unpack = [
            (digest(DELTA_BASE) in found["have"] and self.send_delta(data))
            or self.send(data, pack=name == PACKED)
            for data in contents
            if digest(data) not in found["blobs"]
        ]
        listed = {
            key: {"sha256": digest(data), "size_bytes": len(data)}
            for key, data in RELEASES[name].items()
        }
        fields = {"release_id": name, "manifest": {"files": listed}, "unpack": unpack}
        self.ask("stage", token=self.token, **fields)
        with self.switching(name):
            assert self.ask("activate", token=self.token, **fields)["current"] == name
        self.ask("gc", token=self.token, keep=[digest(INPUT)])
        self.ask("lease", op="release", token=self.token)

    def rollback(self, to: str) -> None:
        self.probe([])
        with self.switching(to):
            assert self.ask("rollback", token=self.token)["current"] == to

    def send(self, data: bytes, *, pack: bool) -> dict[str, Any]:
        """Write as an upload does: in pieces, and nobody syncs them."""
        payload = zlib.compress(data) if pack else data
        path = self.work / "incoming" / token_name(self.token) / f"{digest(payload)}.part"
        with files.create(path) as file:
            files.put(file, payload[:5])
            files.put(file, payload[5:])
        encoding = "zlib" if pack else "raw"
        entry = {"sha256": digest(data), "size_bytes": len(data), "encoding": encoding}
        return entry | {"payload": digest(payload)}

    def send_delta(self, data: bytes) -> dict[str, Any] | None:
        """Send what is new against DELTA_BASE, where that is less than the whole."""
        if data[:1] != DELTA_BASE[:1] or data == DELTA_BASE:
            return None
        shas = [hashlib.sha256(one).digest() for one in (DELTA_BASE, data)]
        sizes = len(DELTA_BASE), len(data)
        head = patch.HEADER.pack(patch.MAGIC, shas[0], sizes[0], shas[1], sizes[1], patch.ZLIB)
        rest = operation(patch.COPY, 1) + operation(patch.DATA, len(data) - 1) + data[1:]
        sent = self.send(head + zlib.compress(rest), pack=False)
        entry = {"sha256": digest(data), "size_bytes": len(data), "encoding": "delta"}
        return entry | {"payload": sent["payload"], "base": digest(DELTA_BASE)}

    @contextmanager
    def switching(self, name: str) -> Iterator[None]:
        """Until the answer is there it may be the old one or the new, from then on the new."""
        if self.disk is not None:
            self.disk.allowed |= {name}
        yield
        if self.disk is not None:
            self.disk.allowed = frozenset({name})
            self.disk.note(f"{name} was acknowledged")


def night(bench: Bench) -> None:
    """First deploy, second, third with what gc finds then, back, and a lease taken over."""
    bench.deploy("r1")
    files.make_dir(bench.work / "agent")
    for name in (AGENT, OLD_AGENT):  # as the host brings them: whole, and synced
        files.write(bench.work / "agent" / name, b"PK")
    bench.deploy("r2")
    bench.deploy("r3")
    bench.rollback("r2")
    bench.send(b"half of it", pack=False)
    bench.probe([])  # who comes next takes over what was sent


class Cuts:
    """Runs `night` on a recording disk and judges every disk that a cut may leave."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, tools: Tools) -> None:
        self.folder, self.patch, self.tools = folder, patch, tools
        self.boots, self.variants = 0, 0
        self.sabotage: Callable[[pytest.MonkeyPatch], None] = lambda _patch: None

    def bench(self, name: str, disk: Disk | None = None) -> Bench:
        home = self.folder / name
        self.patch.setattr(sys, "argv", [str(home / ".orch/agent" / AGENT)])
        self.patch.setenv("ORCH_SYSROOT", str(self.folder / "root"))
        self.boots += 1
        bench = Bench(home, self.folder / "root", disk)
        bench.boot(f"boot-{self.boots}")
        return bench

    def record(self, dies_at: int = -1) -> Disk:
        """The disk after a night; where the agent is to die at a step, all begins again then."""
        disk = self.tools.disk(self.folder / f"home-{dies_at}")
        disk.dies_at, disk.every_moment = dies_at, dies_at < 0
        with self.patch.context() as inner:
            disk.install(inner)
            self.sabotage(inner)  # above what records: what is left out is not recorded
            bench = self.bench(disk.root.name, disk)
            try:
                night(bench)
            except self.tools.killed:
                bench.deploy("r3")
        return disk

    def torn(self, moments: Sequence[Moment], *, extremes: bool = False) -> Iterator[str]:
        """What is wrong with any disk that a cut at one of the moments may leave."""
        seen = set()
        for moment in moments:
            for tree in moment.platter.after_a_cut(extremes=extremes):
                key = (frozenset(tree.items()), moment.allowed, moment.token)
                if key not in seen:
                    seen.add(key)
                    self.variants += 1
                    yield from (
                        f"after {moment.after}: {text}" for text in self.judge(tree, moment)
                    )

    def judge(self, tree: Tree, moment: Moment) -> list[str]:
        bench = self.bench("boot")
        self.tools.build(tree, bench.home)
        bench.token = moment.token
        with self.patch.context() as inner:
            for name in ("sync", "sync_dir"):  # this disk keeps its power
                inner.setattr(files, name, lambda _what: None)
            found = self.tools.faults(bench.work)
            try:
                state = bench.ask("probe", blobs=[])
                if state["current"] not in moment.allowed:
                    found.append(f"{state['current']} is current, not one of {moment.allowed}")
                if state["holder"] is not None:
                    found.append("the lease outlived the boot")
                if not found:
                    bench.deploy("r3")
                    assert list(bench.work.glob("incoming/*/*")) == []
                    found += self.tools.faults(bench.work)
            except (AssertionError, OSError) as error:
                found.append(f"the next deploy fails: {error}")
        return found


@pytest.fixture
def cuts(monkeypatch: pytest.MonkeyPatch, tools: Tools) -> Iterator[Cuts]:
    # In memory where it can be: thousands of boots ask for their files to be synced.
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Cuts(Path(folder), monkeypatch, tools)
