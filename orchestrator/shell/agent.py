"""Boards without Python or SFTP: the same requests and answers, by a POSIX shell on the board.

The vendor's `ax_run_model` is what runs models there. It gives no samples, only their summary, and
it measures with data of its own.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import board_agent
from board_agent import protocol
from orchestrator.agent import SHORT_DEADLINE_S, Agent, AgentProgram
from orchestrator.domain import CommandResult, Json
from orchestrator.errors import AgentError, BoardError
from orchestrator.shell import replies as shell_replies
from orchestrator.shell import runs as shell_runs
from orchestrator.shell.frame import Entry, read_frame
from orchestrator.shell.requests import bad_request, request_lines
from orchestrator.shell.work import input_name, read_model

#: The parts of the agent in the order in which they make one script.
PARTS = ("ops", "tools", "reply", "lease", "store", "gc", "facts", "work", "workers", "main")
_KINDS = ("probe", "lease", "stage", "activate", "rollback", "gc", "cancel", "benchmark", "infer")

_NO_AGENT, _NO_TOOLS = 93, 94

#: One round trip whether the agent is there or not.
_ASK = 'test -f "$1" || exit 93; exec sh "$@"'
#: The script comes before the request on stdin. `dd` by single bytes takes none of the request.
_FROM_MEMORY = 'n=$1; shift; s=$(dd bs=1 count="$n" 2>/dev/null); exec sh -c "$s" "$@"'
#: Gives the agent its name only when what lies on the disk is what was sent.
_ADOPT = """
mkdir -p "$1" && cat >"$1/$2.$$" || exit 1
found=$(sha256sum "$1/$2.$$" 2>/dev/null) || found=$(busybox sha256sum "$1/$2.$$" 2>/dev/null) ||
    found=$(openssl dgst -sha256 -r "$1/$2.$$" 2>/dev/null) || exit 94
test "${found%% *}" = "$3" || { echo "arrived as $found" >&2; rm -f "$1/$2.$$"; exit 1; }
sync "$1/$2.$$" 2>/dev/null || fsync "$1/$2.$$" || exit 94
mv -f "$1/$2.$$" "$1/$2"
"""


def load_shell_agent() -> AgentProgram:
    """Put the shell agent of this orch together."""
    folder = Path(board_agent.__file__).parent / "shell"
    content = b"\n".join((folder / f"{part}.sh").read_bytes() for part in PARTS)
    return AgentProgram(content, sha256(content).hexdigest())


@dataclass(slots=True)
class ShellAgent(Agent):
    """An `Agent` for a board that has a POSIX shell and little else; its program is a script.

    `fetch` and `serve` are refused with BAD_REQUEST.
    """

    def ask(
        self, kind: str, request: Mapping[str, Json], deadline_s: float = SHORT_DEADLINE_S
    ) -> dict[str, Json]:
        """Send one request and give its result. Raises AgentError with the agent's own code."""
        if kind not in _KINDS:
            raise self._named(bad_request(f"a board without Python does not do {kind!r}"))
        asked = ({} if self.token is None else {"token": self.token}) | dict(request)
        try:
            if kind in {"benchmark", "infer"}:
                return self._work(kind, asked, deadline_s)
            entries = self._exchange(kind, asked, deadline_s)
            match kind:
                case "probe":
                    wanted = asked.get("blobs")
                    blobs = wanted if isinstance(wanted, list) else []
                    return shell_replies.probe_result(entries, blobs)
                case "lease":
                    return shell_replies.lease_result(entries)
                case "gc":
                    return shell_replies.gc_result(entries)
                case "cancel":
                    return shell_replies.cancel_result(entries)
            return shell_replies.switch_result(entries)
        except protocol.FrameError as error:
            raise AgentError(
                f"{self.board.name}: the shell agent's answer cannot be read: {error}",
                "is something else answering in the agent's place?",
                "INTERNAL",
            ) from error

    def _work(self, kind: str, asked: dict[str, Json], deadline_s: float) -> dict[str, Json]:
        """Run the model: its sidecar is read first, for a shell cannot read it there."""
        single = [asked["input"]] if asked.get("input") is not None else []
        inputs = asked.get("inputs") if kind == "infer" else single
        if not isinstance(inputs, list) or (kind == "infer" and not inputs):
            raise self._named(bad_request("inputs is empty, or no list"))
        asked["inputs"] = inputs
        name, run_id = str(asked.get("model")), str(asked.get("run_id"))
        sidecar = self._exchange("sidecar", asked, SHORT_DEADLINE_S)
        try:
            model = read_model(sidecar, name)
            asked["input_name"] = input_name(model, inputs) if inputs else None
        except AgentError as error:
            raise self._named(error) from error
        entries = self._exchange(kind, asked, deadline_s)
        self._check(shell_runs.work_failure(entries, run_id, kind))
        if kind == "benchmark":
            return shell_runs.benchmark_result(entries)
        return shell_runs.infer_result(entries, len(inputs), model.outputs)

    def _exchange(self, kind: str, asked: Mapping[str, Json], deadline_s: float) -> list[Entry]:
        try:
            message = request_lines(kind, asked)
        except AgentError as error:
            raise self._named(error) from error
        nonce = secrets.token_hex(8)
        words = [kind, self.board.work_dir, nonce]
        agent = self._path("agent", f"{self.program.sha256}.sh")
        installed = ["sh", "-c", _ASK, "sh", agent, *words]
        result = self._run(installed, message, deadline_s)
        if result.returncode == _NO_AGENT and self.guest:
            size = str(len(self.program.content))
            memory = ["sh", "-c", _FROM_MEMORY, "sh", size, "agent", *words]
            result = self._run(memory, self.program.content + message, deadline_s)
        elif result.returncode == _NO_AGENT:
            self._send()
            result = self._run(installed, message, deadline_s)
        try:
            entries = read_frame(result.stdout, nonce)
        except protocol.FrameError:
            self._result(result)  # which has no frame of the other protocol either: it says so
            raise
        self._check(shell_replies.failure(entries))
        return entries

    def _check(self, failure: shell_replies.Failure | None) -> None:
        """Raise what went wrong on the board as the AgentError that it would be with Python."""
        if failure is not None:
            reply = protocol.failure(failure.code, failure.message, dict(failure.details))
            self._result(CommandResult(0, protocol.pack(reply), b""))

    def _named(self, error: AgentError) -> AgentError:
        return AgentError(f"{self.board.name}: {error.message}", error.hint, error.code)

    def _send(self) -> None:
        name = f"{self.program.sha256}.sh"
        adopt = ["sh", "-c", _ADOPT, "sh", self._path("agent"), name, self.program.sha256]
        result = self.transport.run(adopt, self.program.content, deadline_s=SHORT_DEADLINE_S)
        if result.returncode == _NO_TOOLS:
            raise AgentError(
                f"{self.board.name}: it has no sha256sum or openssl, or no sync or fsync",
                "what is sent there could not be verified: put busybox with these on the board",
                "NO_TOOLS",
            )
        if result.returncode != 0:
            said = result.stderr.decode(errors="replace").strip()[-200:]
            raise BoardError(f"{self.board.name}: bringing the agent there failed: {said}")
        self.uploaded = True
