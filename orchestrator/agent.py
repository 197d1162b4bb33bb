"""Talk to the agent on a board: bring it there when it is missing, ask it, understand it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from board_agent import protocol
from orchestrator.agent_bundle import bundle_agent
from orchestrator.domain import Board, CommandResult, Json
from orchestrator.errors import AgentError, BoardError
from orchestrator.seams import Transport

#: Everything short: looking around, moving files that are already there.
SHORT_DEADLINE_S = 60.0
#: What `_ASK` ends with when the agent is not there; no shell or Python ends with it.
_NO_AGENT = 93
_NO_COMMAND = 127

#: More than this is no message.
_MAX_SAID = 1000

#: One round trip whether the agent is there or not.
_ASK = 'test -f "$1" || exit 93; exec python3 "$1"'
_PREPARE = 'mkdir -p "$1/agent" "$1/incoming"'
#: Gives the agent its name only when what lies on the disk is what was sent.
_ADOPT = """
import hashlib, os, sys
part, final, wanted = sys.argv[1:]
with open(part, "rb") as stream:
    found = hashlib.sha256(stream.read()).hexdigest()
    os.fsync(stream.fileno())
if found != wanted:
    os.remove(part)
    sys.exit("arrived as " + found)
os.replace(part, final)
folder = os.open(os.path.dirname(final), os.O_RDONLY)
os.fsync(folder)
"""

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
    "BUSY": "wait for the other run to end",
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
    """The agent of one board over an open connection; `uploaded` tells whether it was sent."""

    board: Board
    transport: Transport
    program: AgentProgram
    uploaded: bool = False

    def ask(
        self, kind: str, request: Mapping[str, Json], deadline_s: float = SHORT_DEADLINE_S
    ) -> dict[str, Json]:
        """Send one request and give its result. Raises AgentError with the agent's own code."""
        fields = {"version": protocol.VERSION, "kind": kind, "work_dir": self.board.work_dir}
        message = json.dumps(fields | dict(request)).encode()
        result = self._start(message, deadline_s)
        if result.returncode == _NO_AGENT:
            self._send()
            result = self._start(message, deadline_s)
        return self._result(result)

    def prepare(self) -> None:
        """Make the folders that files are sent to."""
        argv = ["sh", "-c", _PREPARE, "sh", self.board.work_dir]
        self._must(self.transport.run(argv, deadline_s=SHORT_DEADLINE_S), "making work_dir")

    def _start(self, message: bytes, deadline_s: float) -> CommandResult:
        return self.transport.run(
            ["sh", "-c", _ASK, "sh", self._path("agent", f"{self.program.sha256}.pyz")],
            message,
            deadline_s=deadline_s,
            limit_bytes=protocol.MAX_REPLY_BYTES,
        )

    def _send(self) -> None:
        name = f"{self.program.sha256}.pyz"
        part, final = self._path("incoming", f"{name}.part"), self._path("agent", name)
        self.prepare()
        with tempfile.NamedTemporaryFile() as local:
            local.write(self.program.content)
            local.flush()
            self.transport.put(Path(local.name), part, deadline_s=SHORT_DEADLINE_S)
        adopt = ["python3", "-c", _ADOPT, part, final, self.program.sha256]
        self._must(self.transport.run(adopt, deadline_s=SHORT_DEADLINE_S), "verifying the agent")
        self.uploaded = True

    def _must(self, result: CommandResult, doing: str) -> None:
        if result.returncode == 0:
            return
        if result.returncode == _NO_COMMAND:
            raise AgentError(
                f"{self.board.name}: it has no python3",
                "the agent needs Python 3.8 or newer on the board",
                "OLD_PYTHON",
            )
        raise BoardError(f"{self.board.name}: {doing} failed: {_tail(result)}")

    def _result(self, result: CommandResult) -> dict[str, Json]:
        if result.returncode == _NO_COMMAND:
            self._must(result, "starting the agent")
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


def _tail(result: CommandResult) -> str:
    text = (result.stderr or result.stdout).decode(errors="replace").strip()
    return _one_line(text.splitlines()[-1][:200]) if text else "nothing"


def _one_line(text: str) -> str:
    """Give what a board said as one line that every terminal and file can hold."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text[:_MAX_SAID])
    return " ".join(plain.split())
