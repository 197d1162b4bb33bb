"""End detached work: everything that runs in its session, and whoever is registered for it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from board_agent import files, protocol
from board_agent.errors import AgentError
from board_agent.results import Registered, Results, now_ns

#: A killed process is gone at once, unless a driver holds it.
_PATIENCE_S = 5.0
_PAUSE_S = 0.01


def cancel(results: Results, run_id: str | None) -> str | None:
    """End a run, or whatever runs, and leave that as its answer. Raises TIMEOUT."""
    ended = end(results, run_id, answer=True)
    if ended is not None and ended.process.alive():
        message = f"run {ended.run_id}: pid {ended.process.pid} cannot be killed"
        raise AgentError("TIMEOUT", message, {"run_id": ended.run_id, "pid": ended.process.pid})
    return ended.run_id if ended is not None else None


def end(results: Results, run_id: str | None, *, answer: bool = False) -> Registered | None:
    """Kill the worker that is at it, if it is at `run_id` (None: at any).

    Without an answer the run may be asked for again as if it had never been.
    """
    if not results.folder.is_dir():
        return None
    with files.locked(results.lock()):
        live = results.live()
        if live is None or run_id not in (None, live.run_id):
            return None
        # First: who waits for the worker looks at these as soon as it is gone.
        if answer:
            message = f"run {live.run_id}: cancelled"
            reply = protocol.failure("RUN_FAILED", message, {"cancelled": True})
            results.store(live.run_id, live.request_sha256, reply)
        results.release(live.run_id)
        _kill(live)
        if live.process.alive():
            results.register(live)
        return live


def _kill(worker: Registered) -> None:
    """Kill every process of the worker's session until its leader is gone, or time is up."""
    until_ns = now_ns() + int(_PATIENCE_S * 1e9)
    # The leader first: it would report the others' death as the answer.
    left = [worker.process.pid]
    while left and now_ns() < until_ns:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE_S)
        left = _session(worker.process.pid)


def _session(leader: int) -> list[int]:
    """The processes of a session, those that have ended left out."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):  # it ended in between
                stat = (folder / "stat").read_bytes()
                state, _, _, session = stat.rpartition(b")")[2].split()[:4]
                if int(session) == leader and state not in (b"Z", b"X"):
                    found.append(int(folder.name))
    return found
