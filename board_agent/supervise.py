"""The parent of the worker: alone in its session, it keeps the deadline and reports deaths."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import sys
from typing import Any

from board_agent import protocol, sensors, worker
from board_agent.answer import answer
from board_agent.jobs import Job
from board_agent.parent import dies_with_parent
from board_agent.places import Board
from board_agent.results import Results, now_ns

#: What a runtime may take to shut down once its answer is on the disk.
SHUTDOWN_S = 5
_SHORTEST_S = 0.001


def main(board: Board, results: Results, run_id: str) -> int:
    """Read the order from stdin, run it in a child, see to it that there is a result."""
    try:
        order = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    except ValueError:  # the agent that started this died before it had given its order
        results.release(run_id)
        return 1
    job = Job(**order["job"])
    request_sha256 = job.sha256()
    before = board.read(sensors.CMM_INFO) or ""
    child = os.fork()
    if child == 0:
        _work(job, request_sha256, results, board)
        return 0
    with contextlib.suppress(OSError):  # the child does the same: whoever comes first
        os.setpgid(child, child)
    reply = _watch(child, run_id, order["ends_ns"], results)
    stored = results.stored(job.run_id, request_sha256)
    told = stored or reply
    if job.kind == "benchmark" or not told["ok"]:  # what is inferred may be large, and stays
        told = _with_leak(told, before, board.read(sensors.CMM_INFO) or "")
    if told is not stored:
        results.store(job.run_id, request_sha256, told)
    results.release(run_id)
    return 0


def _with_leak(reply: dict[str, Any], before: str, after: str) -> dict[str, Any]:
    """The reply with the NPU memory that did not come back, now that the process is gone."""
    first = reply["result"].get("after_first") if reply["ok"] else None
    size_bytes = sensors.left_bytes(before, after, (first or {}).get("cmm_holders") or {})
    if size_bytes is None:
        return reply
    left = {"left_cmm_bytes": size_bytes}
    if reply["ok"]:
        return {**reply, "result": {**reply["result"], **left}}
    error = reply["error"]
    return {**reply, "error": {**error, "details": {**error["details"], **left}}}


def _work(job: Job, request_sha256: str, results: Results, board: Board) -> None:
    os.setpgid(0, 0)
    dies_with_parent()
    reply = answer(
        lambda: protocol.success(worker.run(job, board, results.path(job.run_id, "log")))
    )
    results.store(job.run_id, request_sha256, reply)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(SHUTDOWN_S)
    # Only now is the session out of every frame and traceback. One that lives at exit makes the
    # runtime complain or crash, which must not cost the answer either.
    gc.collect()


def _watch(child: int, run_id: str, ends_ns: int, results: Results) -> dict[str, Any]:
    """Wait for the child, kill its group at the deadline, and tell how it ended."""
    overdue = []

    def kill(_signal: int, _frame: object) -> None:
        overdue.append(True)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, kill)
    signal.setitimer(signal.ITIMER_REAL, max(_SHORTEST_S, (ends_ns - now_ns()) / 1e9))
    _, status = os.waitpid(child, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    log_tail = results.log_tail(run_id)
    if overdue:
        message = f"run {run_id}: killed at its deadline"
        return protocol.failure("TIMEOUT", message, {"log_tail": log_tail})
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    how = f"exited with {code}" if number is None else f"was killed by {_signal_name(number)}"
    return protocol.failure(
        "RUN_FAILED",
        f"run {run_id}: the worker {how} without a result",
        {"returncode": code, "signal": number, "log_tail": log_tail},
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
