"""Boards for the tests of the host: one on this machine, one that gives scripted replies."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from board_agent import places, protocol, request
from board_agent.answer import answer
from board_agent.kinds import Here, carry_out
from board_agent.store import Store
from orchestrator.backends.local_transport import LocalConnect, LocalTransport
from orchestrator.domain import CommandResult, Json


class Answering:
    """A board whose requests have all been carried out when they are answered."""

    def run(
        self, argv: Sequence[str], stdin: bytes = b"", *, deadline_s: float, limit_bytes: int = 0
    ) -> CommandResult:
        raise NotImplementedError

    def hold(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        until: Callable[[bytes], bool],
        deadline_s: float,
    ) -> AbstractContextManager[bytes]:
        said = self.run(argv, stdin, deadline_s=deadline_s).stdout
        assert until(said)
        return nullcontext(said)


@dataclass(frozen=True)
class LocalBoard(Answering):
    """A board's login on this machine: commands run in `home`, its fact files lie in `root`.

    `spoils` is written over the beginning of all that arrives: files, and the agent's program.
    The agent is carried out in this process, which is cheap, unless it is to be `apart`.
    """

    home: Path
    root: Path
    spoils: bytes = b""
    apart: bool = False

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        deadline_s: float,
        limit_bytes: int = 1 << 30,
    ) -> CommandResult:
        if not self.apart:
            return self._near(argv, stdin)
        if argv[0] == "python3":
            stdin = self.spoils + stdin[len(self.spoils) :]
        env = {"HOME": str(self.home), "PATH": os.environ["PATH"], "ORCH_SYSROOT": str(self.root)}
        line = LocalTransport("b1", LocalConnect(self.home, env))
        return line.run(argv, stdin, deadline_s=deadline_s, limit_bytes=limit_bytes)

    def _near(self, argv: Sequence[str], stdin: bytes) -> CommandResult:
        """Do what a command of `Agent` does: bring the agent there, or ask it if it is."""
        brings = argv[0] == "python3"
        agent, size = self.home / argv[3 if brings else 4], int(argv[-1]) if brings else 0
        if brings:
            agent.parent.mkdir(parents=True, exist_ok=True)
            agent.write_bytes(stdin[:size])
        if not agent.exists():
            return CommandResult(93, b"", b"")
        reply = answer(lambda: self._carry_out(request.read(stdin[size:])))
        assert reply is not None
        return CommandResult(0, protocol.pack(reply), b"")

    def _carry_out(self, asked: dict[str, Json]) -> dict[str, Json] | None:
        place = Store(self.home / str(asked["work_dir"]), request.token(asked))
        here = Here(place, places.Board(str(self.root)), lambda said: pytest.fail(str(said)))
        return carry_out(asked, here)

    def put(self, blob: Path, path: str, offset: int = 0, *, deadline_s: float) -> int:
        assert deadline_s > 0
        rest = blob.read_bytes()[offset:]
        with (self.home / path).open("r+b" if offset else "wb") as stream:
            stream.seek(offset)
            stream.write(rest)
            stream.seek(0)
            stream.write(self.spoils)
        return len(rest)

    def get(self, path: str, limit_bytes: int, *, deadline_s: float) -> bytes:
        assert deadline_s > 0
        return (self.home / path).read_bytes()[:limit_bytes]


@dataclass
class ScriptedBoard(Answering):
    """A board whose agent is there and gives these replies, by kind; keeps what it was asked."""

    replies: Mapping[str, dict[str, Json]]
    asked: list[dict[str, Json]] = field(default_factory=list)
    sent: dict[str, bytes] = field(default_factory=dict)

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        deadline_s: float,
        limit_bytes: int = 1 << 30,
    ) -> CommandResult:
        assert argv
        assert deadline_s > 0
        request = json.loads(stdin)
        self.asked.append(request)
        answer = protocol.pack(self.replies[request["kind"]])
        assert len(answer) <= limit_bytes
        return CommandResult(0, b"Welcome\n" + answer, b"")

    def put(self, blob: Path, path: str, offset: int = 0, *, deadline_s: float) -> int:
        assert deadline_s > 0
        self.sent[path] = blob.read_bytes()[offset:]
        return len(self.sent[path])

    def get(self, path: str, limit_bytes: int, *, deadline_s: float) -> bytes:
        assert deadline_s > 0
        return self.sent[path][:limit_bytes]
