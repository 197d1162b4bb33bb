"""Boards as folders of this machine, each with no program but a shell and its plain tools."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from orchestrator.backends.local_transport import LocalConnect
from orchestrator.domain import Board, Json
from orchestrator.seams import Transport
from orchestrator.shell.agent import ShellAgent, load_shell_agent

#: What the agent may use of a board; `sh` is added.
TOOLS = (
    *("cat", "chmod", "cp", "date", "dd", "df", "grep", "gzip", "head", "kill", "ls", "ln"),
    *("mkdir", "mv", "nohup", "readlink", "rm", "setsid", "sha256sum", "sleep", "stat", "sync"),
    *("tail", "uname"),
)
SHELLS = ("dash", pytest.param("busybox", marks=pytest.mark.slow))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class ShellBoard:
    """A board below `folder`: `bin` is its PATH, `home` its login's, `root` has its own files."""

    folder: Path
    shell: str
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        return self.folder / "home/.orch"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def furnish(self, without: Sequence[str] = ()) -> None:
        """Give the board its programs, all of one make; leave some out."""
        places = self.folder / "bin"
        shutil.rmtree(places, ignore_errors=True)
        for name in ("home", "bin", "root"):
            (self.folder / name).mkdir(exist_ok=True)
        for tool in [tool for tool in ("sh", *TOOLS) if tool not in without]:
            (places / tool).symlink_to(self.program(tool))

    def program(self, tool: str) -> str:
        name = "busybox" if self.shell == "busybox" else {"sh": "dash"}.get(tool, tool)
        found = shutil.which(name)
        if found is None:
            if os.environ.get("CI") == "true":
                pytest.fail(f"there is no {name} on this machine")
            pytest.skip(f"there is no {name} on this machine")
        return found

    def boot(self, name: str, uptime_s: float = 100.0) -> None:
        for path, text in (
            ("proc/uptime", f"{uptime_s:.2f} 1.00\n"),
            ("proc/sys/kernel/random/boot_id", f"{name}\n"),
        ):
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": str(self.folder / "bin"),
            "HOME": str(self.folder / "home"),
            "ORCH_SYSROOT": str(self.root),
        } | self.extra

    def connect(self) -> Transport:
        board = Board("ax-1", "127.0.0.1", 22, "root")
        with LocalConnect(self.folder / "home", self.environment)(board) as transport:
            return transport

    def agent(self) -> ShellAgent:
        return ShellAgent(Board("ax-1", "127.0.0.1", 22, "root"), self.connect(), PROGRAM)


PROGRAM = load_shell_agent()


def acquire(agent: ShellAgent, owner: str = "me") -> dict[str, Json]:
    """Take the lease with a probe, as a host does."""
    found = agent.ask("probe", {"blobs": [], "lease": {"owner": owner, "ttl_s": 60}})
    lease = found["lease"]
    if isinstance(lease, dict) and isinstance(lease["token"], int):
        agent.token = lease["token"]
    return found


def send(board: ShellBoard, agent: ShellAgent, data: bytes, name: str | None = None) -> str:
    """Leave `data` where uploads go; give its sha256."""
    part = board.folder / "home" / agent.incoming(name or digest(data))
    part.write_bytes(data)
    return digest(data)


def release(name: str, contents: dict[str, bytes]) -> dict[str, Json]:
    files: dict[str, Json] = {
        key: {"sha256": digest(data), "size_bytes": len(data)} for key, data in contents.items()
    }
    return {"release_id": name, "manifest": {"files": files, "simulated": True}}


def deploy(board: ShellBoard, agent: ShellAgent, name: str, **contents: bytes) -> dict[str, Json]:
    for data in contents.values():
        send(board, agent, data)
    return agent.ask("activate", release(name, contents))


@dataclass(frozen=True)
class Kit:
    """What the tests here share; they cannot import it."""

    acquire: Callable[..., dict[str, Json]] = acquire
    send: Callable[..., str] = send
    release: Callable[..., dict[str, Json]] = release
    deploy: Callable[..., dict[str, Json]] = deploy
    digest: Callable[[bytes], str] = digest


@pytest.fixture
def kit() -> Kit:
    return Kit()


@pytest.fixture(params=SHELLS)
def board(request: pytest.FixtureRequest) -> Iterator[ShellBoard]:
    """A board with programs of either make; in memory where it can be, for it syncs a lot."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        made = ShellBoard(Path(folder), str(request.param))
        made.furnish()
        made.boot("boot-1")
        yield made


@pytest.fixture
def agent(board: ShellBoard) -> ShellAgent:
    return board.agent()
