"""A board whose agent is a shell, on a disk that loses power.

The agent's programs that change a disk stand behind shims that write down each step, and can kill
the agent at it. What is written down is played to the same model of a disk as in the other tests.
"""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from board_agent.protocol import token_name
from orchestrator.domain import Json
from orchestrator.shell.frame import Entry, read_frame
from orchestrator.shell.replies import failure
from orchestrator.shell.requests import request_lines
from tests.crash.shell.played import play, put
from tests.crash.shell.programs import furnish

if TYPE_CHECKING:
    from containers.board_sim.platter import Tree
    from tests.crash.conftest import Disk

RELEASES = {
    "r1": {"model": b"one " * 8, "sidecar": b"{}"},
    "r2": {"model": b"two " * 8, "sidecar": b"{}"},
    "r3": {"model": b"three " * 8, "sidecar": b"[]"},
}
PACKED = "r2"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Killed(Exception):  # noqa: N818 - what happened to it
    """The agent was killed at the step that was named."""


@dataclass
class Bench:
    """A board whose agent is a shell, and the host that talks to it."""

    folder: Path
    home: Path
    shell: str
    script: bytes
    disk: Disk | None = None
    cut: tuple[int, str] = (0, "")
    skip: frozenset[str] = frozenset()
    token: int = 0
    steps: list[str] = field(default_factory=list)

    @property
    def work(self) -> Path:
        return self.home / ".orch"

    def boot(self, name: str) -> None:
        for path, text in (("proc/uptime", "9.0 1.0"), ("proc/sys/kernel/random/boot_id", name)):
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text + "\n")

    def ask(self, kind: str, request: dict[str, Json]) -> list[Entry]:
        cuts = self.folder / "cuts"
        shutil.rmtree(cuts, ignore_errors=True)
        cuts.mkdir()
        (cuts / "n").write_text("0\n")
        at, where = self.cut
        environment = {
            "PATH": str(self.folder / ("shims" if self.disk or at else "bin")),
            "HOME": str(self.home),
            "ORCH_SYSROOT": str(self.folder),
            "CUTS": str(cuts),
            "AT": str(at - len(self.steps)),
            "CUT": where,
        }
        lease: dict[str, Json] = {} if kind == "probe" else {"token": self.token}
        result = subprocess.run(
            [self.folder / "bin/sh", self.folder / "agent.sh", kind, ".orch", "nonce"],
            input=request_lines(kind, lease | request),
            stdout=subprocess.PIPE,
            cwd=self.home,
            env=environment,
            start_new_session=True,
            check=False,
        )
        made = int((cuts / "n").read_text())
        self.steps += [kind] * made
        if self.disk is not None:
            play(self.disk, cuts, made, self.skip)
        if result.returncode == -signal.SIGKILL:
            raise Killed
        entries = read_frame(result.stdout, "nonce")
        assert failure(entries) is None, failure(entries)
        return entries

    def one(self, entries: list[Entry], key: str) -> str | None:
        return next((entry.value for entry in entries if entry.key == key), None)

    def probe(self) -> list[Entry]:
        """Take the lease; no number may be given that was given before."""
        found = self.ask("probe", {"lease": {"owner": "me", "ttl_s": 60}})
        token = int(self.one(found, "lease") or 0)
        assert token > self.token
        self.token = token
        if self.disk is not None:
            self.disk.token = token
        return found

    def deploy(self, name: str) -> None:
        """All that a host does for a release, in its order."""
        there = {entry.value.split()[0] for entry in self.probe() if entry.key == "blob"}
        unpack: list[Json] = []
        listed: dict[str, Json] = {}
        for key, data in RELEASES[name].items():
            listed[key] = {"sha256": digest(data), "size_bytes": len(data)}
            if digest(data) not in there:
                unpack.append(self.send(data, pack=name == PACKED))
        manifest: dict[str, Json] = {"files": listed}
        request: dict[str, Json] = {"release_id": name, "manifest": manifest, "unpack": unpack}
        self.ask("stage", request)
        self.switch("activate", request, name)
        self.ask("gc", {"keep": []})
        self.ask("lease", {"op": "release"})

    def dies(self, name: str, at: int, where: str) -> bool:
        """Deploy a release and kill the agent at a step; False where it ended before that."""
        self.cut = (at, where)
        try:
            self.deploy(name)
        except Killed:
            return True
        finally:
            self.cut = (0, "")
        return False

    def switch(self, kind: str, request: dict[str, Json], to: str) -> None:
        """Until the answer is there it may be the old one or the new, from then on the new."""
        if self.disk is not None:
            self.disk.allowed |= {to}
        assert self.one(self.ask(kind, request), "current") == to
        if self.disk is not None:
            self.disk.allowed = frozenset({to})
            self.disk.note(f"{to} was acknowledged")

    def send(self, data: bytes, *, pack: bool) -> dict[str, Json]:
        """Write as an upload does; nobody syncs it."""
        payload = zlib.compress(data) if pack else data
        path = self.work / "incoming" / token_name(self.token) / f"{digest(payload)}.part"
        path.write_bytes(payload)
        if self.disk is not None:
            put(self.disk, path, payload)
        encoding = "zlib" if pack else "raw"
        sizes: dict[str, Json] = {"sha256": digest(data), "size_bytes": len(data)}
        return sizes | {"encoding": encoding, "payload": digest(payload)}


def now(home: Path) -> Tree:
    """What lies below a folder."""
    return {
        str(path.relative_to(home)): (
            str(path.readlink())
            if path.is_symlink()
            else None
            if path.is_dir()
            else path.read_bytes()
        )
        for path in home.rglob("*")
    }


class ShellTools(NamedTuple):
    """What the tests here share."""

    bench: type[Bench] = Bench
    furnish: Callable[[Path, str], None] = furnish
    tree: Callable[[Path], Tree] = now
    releases: tuple[str, ...] = tuple(RELEASES)


@pytest.fixture
def shell_tools() -> ShellTools:
    return ShellTools()
