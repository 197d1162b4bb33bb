"""Talk to the agent on a board: bring it there when it is missing, ask it, understand it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256

from board_agent import protocol
from orchestrator import agent_commands
from orchestrator.agent_bundle import bundle_agent
from orchestrator.domain import Board, CommandResult, Json
from orchestrator.errors import AgentError, BoardError, DeadlineError, NoPython
from orchestrator.seams import Transport

#: Everything short: looking around, moving files that are already there.
SHORT_DEADLINE_S = 60.0
_NO_COMMAND = 127

#: More than this is no message.
_MAX_SAID = 1000

_HINTS = {
    "NO_RUNTIME": "install axengine and the board's SDK libraries: orch fleet check",
    "OLD_PYTHON": "put a Python 3.10 or newer first on the board's PATH",
    "INIT_FAILED": "is another program using the NPU? rebooting the board frees it",
    "VNPU_CONFLICT": "compile for another npu_mode, or turn the virtual NPU off on the board",
    "MODEL_REJECTED": "was it compiled for this chip, by a Pulsar2 that its SDK knows?",
    "CMM_FULL": "stop what holds the NPU's memory, or give the board a larger CMM",
    "INPUT_MISMATCH": "build and deploy again: the model and its sidecar do not fit",
    "RUN_FAILED": "look at the log under work_dir/results on the board",
    "TIMEOUT": "raise run.timeout in the recipe, or look for a hung program on the board",
    "DISK_FULL": "free some room on the board's disk",
    "NOT_WRITABLE": "look at it on the board: read-only, another user's, a file for a folder?",
    "BUSY": "wait for the other run to end",
    "LEASED": "wait for the other orch to end, or break its lease: orch fleet unlock",
    "STALE_TOKEN": "another orch has taken the board over; it is left to that one",
    "NO_TOOLS": "put a busybox that has it on the board, first on its PATH",
    "NO_RELEASE": "deploy first: orch deploy",
    "HASH_MISMATCH": "run the same command again; if it persists, check the board's disk",
}


@dataclass(frozen=True, slots=True)
class AgentProgram:
    """The agent as a file to send."""

    content: bytes
    sha256: str


def load_agent() -> AgentProgram:
    """Bundle the agent of this orch."""
    content = bundle_agent()
    return AgentProgram(content, sha256(content).hexdigest())


@dataclass(slots=True)
class Agent:
    """The agent of one board over an open connection; `uploaded` tells whether it was sent.

    Attributes:
        token: of the lease under which it is asked; None: there is none.
        guest: where it is missing it is run from memory, and the board keeps nothing.
        freed: the lease was given back with the last request that was made under it.
    """

    board: Board
    transport: Transport
    program: AgentProgram
    token: int | None = None
    guest: bool = False
    uploaded: bool = False
    freed: bool = False
    _ends: float = math.inf

    def end_after(self, seconds: float) -> None:
        """Let nothing that is begun here last longer than until then, all in all."""
        self._ends = time.monotonic() + seconds

    def left(self, deadline_s: float) -> float:
        """Give what is left of a deadline, in s. Raises DeadlineError where it is nothing."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise DeadlineError(
                f"{self.board.name}: the board's time is over",
                "raise fleets.*.board_deadline_s in the inventory",
            )
        return min(deadline_s, left)

    def ask(
        self, kind: str, request: Mapping[str, Json], deadline_s: float = SHORT_DEADLINE_S
    ) -> dict[str, Json]:
        """Send one request and give its result. Raises AgentError with the agent's own code."""
        message = self._message(kind, request)
        result = self._run(self._installed(), message, deadline_s)
        if result.returncode == agent_commands.NO_AGENT and self.guest:
            result = self._run(self._from_memory(), self.program.content + message, deadline_s)
        elif result.returncode == agent_commands.NO_AGENT:
            result = self._run(self._adopted(), self.program.content + message, deadline_s)
            if result.returncode == agent_commands.DAMAGED:
                said = _tail(result)
                raise BoardError(
                    f"{self.board.name}: bringing the agent there failed: {said}",
                    "is work_dir a folder that can be written to, with room? boards.*.work_dir",
                )
            self.uploaded = True
        found = self._result(result)
        self.freed = found.get("freed") is True
        return found

    @contextmanager
    def hold(
        self, kind: str, request: Mapping[str, Json], deadline_s: float = SHORT_DEADLINE_S
    ) -> Iterator[dict[str, Json]]:
        """Give the result of a request that is carried out for as long as the context lasts.

        The agent has been asked something before, so that it is there. Raises as `ask` does.
        """
        with self.transport.hold(
            self._installed(),
            self._message(kind, request) + b"\n",
            until=_is_answer,
            deadline_s=self.left(deadline_s),
        ) as said:
            yield self._result(CommandResult(0, said, b""))

    def _message(self, kind: str, request: Mapping[str, Json]) -> bytes:
        fields: dict[str, Json] = {
            "version": protocol.VERSION,
            "kind": kind,
            "work_dir": self.board.work_dir,
        }
        if self.token is not None:
            fields["token"] = self.token
        return json.dumps(fields | dict(request)).encode()

    def incoming(self, sha256: str) -> str:
        """Say where what is sent under the lease goes on the board."""
        folder = "none" if self.token is None else protocol.token_name(self.token)
        return self._path("incoming", folder, f"{sha256}.part")

    def _installed(self) -> list[str]:
        return agent_commands.installed(self._file())

    def _adopted(self) -> list[str]:
        program = self.program
        return agent_commands.adopted(self._file(), program.sha256, len(program.content))

    def _from_memory(self) -> list[str]:
        return agent_commands.from_memory(len(self.program.content))

    def _file(self) -> str:
        return self._path("agent", f"{self.program.sha256}.pyz")

    def _run(self, argv: Sequence[str], stdin: bytes, deadline_s: float) -> CommandResult:
        return self.transport.run(
            argv,
            stdin,
            deadline_s=self.left(deadline_s),
            limit_bytes=protocol.MAX_REPLY_BYTES,
        )

    def _result(self, result: CommandResult) -> dict[str, Json]:
        if result.returncode == _NO_COMMAND:
            raise NoPython(
                f"{self.board.name}: it has no python3",
                "the agent needs Python 3.8 or newer on the board",
                "OLD_PYTHON",
            )
        try:
            reply = protocol.unpack(result.stdout)
        except (protocol.FrameError, ValueError) as error:
            raise AgentError(
                f"{self.board.name}: the agent gave no answer ({error}), ended with "
                f"{result.returncode}, saying: {_tail(result)}",
                "run the same command again with --verbose",
                "INTERNAL",
            ) from error
        if reply.get("ok") is True and isinstance(reply.get("result"), dict):
            return dict(reply["result"])
        failure = reply.get("error")
        details = failure if isinstance(failure, dict) else {}
        code = str(details.get("code"))
        known = code if code in protocol.ERRORS else "INTERNAL"
        said = _one_line(str(details.get("message", "no reason")))
        raise AgentError(f"{self.board.name}: {said}", _HINTS.get(known, ""), known)

    def _path(self, *parts: str) -> str:
        return "/".join((self.board.work_dir.rstrip("/"), *parts))


def _is_answer(said: bytes) -> bool:
    try:
        protocol.unpack(said)
    except protocol.FrameError:
        return False
    return True


def _tail(result: CommandResult) -> str:
    text = (result.stderr or result.stdout).decode(errors="replace").strip()
    return _one_line(text.splitlines()[-1][:200]) if text else "nothing"


def _one_line(text: str) -> str:
    """Give what a board said as one line that every terminal and file can hold."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text[:_MAX_SAID])
    return " ".join(plain.split())
