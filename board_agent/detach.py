"""Start a worker that outlives its connection, or join the one that is at it, and wait."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from board_agent import files, jobs, protocol, sites
from board_agent.errors import AgentError
from board_agent.jobs import Asked, Job
from board_agent.lease import Lease
from board_agent.places import Board, worker_environment
from board_agent.results import Process, Registered, Results, now_ns, process

#: How much longer than the deadline the supervisor is given to kill the worker and to say so.
GRACE_S = 10.0
_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.25


def run(asked: Asked, lease: Lease) -> dict[str, Any]:
    """The reply to a job: a stored one, that of the worker at it, or that of a new worker."""
    results = Results(lease.place.path("results"))
    while True:
        with lease.fenced(lease.place.token):
            job = jobs.resolve(asked, lease.place)
            request_sha256 = job.sha256()
            files.make_dir(results.folder)
            with files.locked(results.lock()):
                stored = results.stored(job.run_id, request_sha256)
                if stored is not None:
                    return stored
                worker = _join(job, request_sha256, results)
                if worker is None:
                    worker = _start(job, asked.deadline_s, results, lease.board)
        reply = _wait(worker, results)
        if reply is not None:
            return reply


def _join(job: Job, request_sha256: str, results: Results) -> Registered | None:
    """The worker that is, or was, at this very request; BUSY where another is at work."""
    live = results.live()
    worker = live or results.registered(job.run_id)
    if worker is not None and (worker.run_id, worker.request_sha256) == (
        job.run_id,
        request_sha256,
    ):
        return worker
    if live is not None:
        raise AgentError(
            "BUSY",
            f"run {live.run_id} holds the board (pid {live.process.pid})",
            {"run_id": live.run_id, "pid": live.process.pid},
        )
    return None


def _start(job: Job, deadline_s: float, results: Results, board: Board) -> Registered:
    for suffix in ("json", "pid"):
        files.remove(results.path(job.run_id, suffix))
    results.prune()
    package_root = Path(__file__).absolute().parent.parent
    with files.create(results.path(job.run_id, "log")) as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "board_agent", "worker", str(results.folder), job.run_id],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=results.folder,
            env=worker_environment(
                board, os.environ, package_root, sites.site(results.folder.parent)
            ),
            start_new_session=True,
        )
    ends_ns = now_ns() + int(deadline_s * 1e9)
    owner = process(child.pid) or Process(child.pid, 0, "")
    worker = Registered(job.run_id, job.sha256(), owner, ends_ns, job.blobs())
    results.register(worker)
    order = {"job": job._asdict(), "ends_ns": ends_ns}
    if child.stdin is not None:
        # The worker waits for these bytes, so that none runs that is not registered.
        with contextlib.suppress(BrokenPipeError), child.stdin:
            child.stdin.write(json.dumps(order).encode("utf-8"))
    return worker


def _wait(worker: Registered, results: Results) -> dict[str, Any] | None:
    """The reply of a worker that ends; None where it was never told what to do."""
    pause_s = _FIRST_PAUSE_S
    limit_ns = worker.ends_ns + int(GRACE_S * 1e9)
    while worker.process.alive() and now_ns() < limit_ns:
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
    reply = results.stored(worker.run_id, worker.request_sha256)
    if reply is not None:
        return reply
    pid, log_tail = worker.process.pid, results.log_tail(worker.run_id)
    if worker.process.alive():
        raise AgentError(
            "TIMEOUT",
            f"run {worker.run_id}: pid {pid} is past its deadline and cannot be killed",
            {"pid": pid, "log_tail": log_tail},
        )
    if results.registered(worker.run_id) is None:
        return None
    reply = protocol.failure(
        "RUN_FAILED",
        f"run {worker.run_id}: pid {pid} and its worker ended without a result",
        {"returncode": None, "signal": None, "log_tail": log_tail},
    )
    results.store(worker.run_id, worker.request_sha256, reply)
    results.release(worker.run_id)
    return reply
