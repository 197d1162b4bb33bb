"""The vendor's `ax_run_model`, run as a second instrument: what it prints is for the host to read.

It is on no PATH of a session without a login, its releases know different options, and neither its
exit code nor its stderr alone says whether it ran the model.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple, Sequence

from board_agent import files, sensors
from board_agent.errors import AgentError
from board_agent.jobs import Job
from board_agent.parent import dies_with_parent
from board_agent.places import TOOL_DIRS, Board
from board_agent.results import now_ns

NAME = "ax_run_model"
_HELP_S = 20.0
#: The versions stand at the beginning of what it prints, the figures at the end.
_MAX_HEAD_BYTES = 64 * 1024
_MAX_TAIL_BYTES = 192 * 1024


class _Running(NamedTuple):
    """A process of the tool; times are of the monotonic clock."""

    affinity: int | None
    process: subprocess.Popen[bytes]
    log: Path
    started_ns: int


def run(job: Job, board: Board, log_path: Path) -> dict[str, Any]:
    """The result of `tool`: one process per entry of `affinities` at once, or a single one."""
    program = find(board)
    known = options(program)
    masks: list[int | None] = [*job.affinities] or [None]
    commands = [command(program, job, mask, known) for mask in masks]
    before = sensors.read_sensors(board)
    started = [
        _start(words, mask, log_path.with_name(f"{job.run_id}.tool{place}.log"))
        for place, (words, mask) in enumerate(zip(commands, masks))
    ]
    ended = _wait(started)
    return {
        "instrument": NAME,
        "tool": str(program),
        "options": sorted(known),
        "processes": [_told(one, *ended[one.process.pid]) for one in started],
        "before": before,
        "after": sensors.read_sensors(board),
    }


def find(board: Board) -> Path:
    """Where the tool is. Raises NO_RUNTIME."""
    for folder in TOOL_DIRS:
        file = board.path(f"{folder}/{NAME}")
        if os.access(str(file), os.X_OK) and file.is_file():
            return file
    raise AgentError("NO_RUNTIME", f"none of {', '.join(TOOL_DIRS)} has an {NAME}")


def options(program: Path) -> frozenset[str]:
    """The long options that its help names; releases differ, and it ends oddly after its help."""
    try:
        done = subprocess.run(
            [str(program), "--help"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_HELP_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AgentError("NO_RUNTIME", f"{program}: its help cannot be had: {error}") from error
    text = done.stdout.decode("utf-8", "replace")
    return frozenset(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", text))


def command(program: Path, job: Job, affinity: int | None, known: frozenset[str]) -> list[str]:
    """The command line. Raises BAD_REQUEST where this release cannot do what is asked."""
    words = [str(program), "-m", job.model_path]
    words += ["-w", str(max(1, job.warmup or 1)), "-r", str(job.iterations)]
    if affinity is None:
        return words
    if "affinity" not in known:
        raise AgentError("BAD_REQUEST", f"{program}: this release has no --affinity")
    return [*words, "-a", str(affinity)]


def _start(words: Sequence[str], affinity: int | None, log: Path) -> _Running:
    # In the worker's own group: the deadline and a cancel end it as well.
    with files.create(log) as file:
        try:
            process = subprocess.Popen(
                list(words),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                preexec_fn=dies_with_parent,  # noqa: PLW1509 - a worker has one thread
            )
        except OSError as error:
            raise AgentError("NO_RUNTIME", f"{words[0]}: it cannot be run: {error}") from error
    return _Running(affinity, process, log, now_ns())


def _wait(started: Sequence[_Running]) -> dict[int, tuple[int, int]]:
    """By pid, the return code and the moment of the end; as they end, not in their order."""
    by_pid = {one.process.pid: one.process for one in started}
    ended: dict[int, tuple[int, int]] = {}
    while len(ended) < len(by_pid):
        pid, status = os.wait()
        if pid in by_pid:
            killed = os.WIFSIGNALED(status)
            code = -os.WTERMSIG(status) if killed else os.WEXITSTATUS(status)
            by_pid[pid].returncode = code
            ended[pid] = (code, now_ns())
    return ended


def _told(one: _Running, returncode: int, ended_ns: int) -> dict[str, Any]:
    return {
        "affinity": one.affinity,
        "returncode": returncode,
        "started_ns": one.started_ns,
        "ended_ns": ended_ns,
        "log": _read(one.log),
    }


def _read(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(_MAX_HEAD_BYTES)
        left = os.fstat(file.fileno()).st_size - len(data)
        file.seek(max(0, left - _MAX_TAIL_BYTES), os.SEEK_CUR)
        data += file.read(_MAX_TAIL_BYTES)
    return data.decode("utf-8", "replace")
