"""Several processes with a session each on one NPU: each alone, then all at once.

A process per session, for a process gives its NPU memory back only when it ends. They are forked
before the runtime is loaded, stay in the worker's group, and end with it.
"""

from __future__ import annotations

import contextlib
import gc
import json
import mmap
import os
import selectors
import signal
import time
from typing import Any, NamedTuple, Sequence

from board_agent import protocol, sensors
from board_agent.answer import answer
from board_agent.contender import Company, Entry, hear, work
from board_agent.errors import AgentError
from board_agent.jobs import Job
from board_agent.parent import dies_with_parent
from board_agent.places import Board
from board_agent.results import now_ns

_PIECE_BYTES = 256 * 1024
#: What a runtime may take to shut down once its samples are told.
_SHUTDOWN_S = 5.0
_PAUSE_S = 0.01


class _Child(NamedTuple):
    """A process, and the ends of its pipes that are ours."""

    pid: int
    answers: int
    orders: int


def run(job: Job, board: Board) -> dict[str, Any]:
    """The result of `contend`. Raises what a process says, with which one it was."""
    entries = _entries(job)
    before = sensors.read_sensors(board)
    children: list[_Child] = []
    patience_s = 0.0
    memory = mmap.mmap(-1, mmap.PAGESIZE)
    try:
        for place, entry in enumerate(entries):
            company = Company(memory, place, len(entries))
            children.append(_fork(entry, board, company, children))
        _gather(children)  # each has loaded its model and has warmed up
        alone = []
        for place, child in enumerate(children):
            _order(child)
            alone += _gather([child], place)
        for child in children:
            _order(child)
        spans = _gather(children)
        patience_s = _SHUTDOWN_S
    finally:
        _end(children, patience_s)
    after = sensors.read_sensors(board)
    return {**_told(job, alone, spans), "before": before, "after": after}


def _entries(job: Job) -> list[Entry]:
    warmup, count = job.warmup or 0, job.iterations
    fed = job.inputs[0] if job.inputs else None
    own = Entry(job.model, job.model_path, job.sidecar, fed, warmup, count)
    return [own] + [
        Entry(
            job.model,
            one["model_path"],
            one["sidecar"],
            fed if one["model_path"] == job.model_path else None,
            warmup,
            count,
        )
        for one in job.others
    ]


def _fork(entry: Entry, board: Board, company: Company, before: Sequence[_Child]) -> _Child:
    answers, say = os.pipe()
    orders, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.close(say)
        os.close(orders)
        return _Child(pid, answers, tell)
    dies_with_parent()
    # A pipe ends when nobody has it open: not those of the processes before this one either.
    for descriptor in (answers, tell, *(end for one in before for end in one[1:])):
        os.close(descriptor)
    _serve(entry, board, company, say, orders)
    os._exit(0)


def _serve(entry: Entry, board: Board, company: Company, say: int, orders: int) -> None:
    def report(result: dict[str, Any]) -> None:
        _write(say, protocol.success(result))
        hear(orders)

    _write(say, answer(lambda: protocol.success(work(entry, board, company, report))))
    gc.collect()  # a session that lives at the end makes the runtime complain or crash


def _write(descriptor: int, message: dict[str, Any] | None) -> None:
    rest = memoryview(json.dumps(message).encode("utf-8") + b"\n")
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _order(child: _Child) -> None:
    with contextlib.suppress(BrokenPipeError):  # what it died of, its answer tells
        os.write(child.orders, b".")


def _gather(children: Sequence[_Child], first: int = 0) -> list[dict[str, Any]]:
    """A result of each, in their order; the first failure or death of any of them ends it."""
    said = [b""] * len(children)
    with selectors.DefaultSelector() as waiting:
        for place, child in enumerate(children):
            waiting.register(child.answers, selectors.EVENT_READ, place)
        while waiting.get_map():
            for key, _ in waiting.select():
                place = key.data
                piece = os.read(key.fd, _PIECE_BYTES)
                said[place] += piece
                if piece.endswith(b"\n"):
                    waiting.unregister(key.fd)
                    said[place] = _checked(said[place], first + place)
                elif not piece:
                    raise AgentError(
                        "RUN_FAILED", f"process {first + place + 1}: it died without a word"
                    )
    return [json.loads(one.decode("utf-8"))["result"] for one in said]


def _checked(said: bytes, place: int) -> bytes:
    reply = json.loads(said.decode("utf-8"))
    if not reply["ok"]:
        error = reply["error"]
        message = f"process {place + 1}: {error['message']}"
        raise AgentError(error["code"], message, error["details"])
    return said


def _end(children: Sequence[_Child], patience_s: float) -> None:
    """Let them close their sessions, but not for longer than that."""
    ends_ns = now_ns() + int(patience_s * 1e9)
    for child in children:
        os.close(child.answers)
        os.close(child.orders)
    for child in children:
        while os.waitpid(child.pid, os.WNOHANG) == (0, 0):
            if now_ns() >= ends_ns:
                os.kill(child.pid, signal.SIGKILL)
            time.sleep(_PAUSE_S)


def _told(
    job: Job, alone: Sequence[dict[str, Any]], spans: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    warmup = job.warmup or 0
    since_ns, until_ns, overlap = shared_time(spans, warmup)
    names = [None, *(one["release_id"] for one in job.others)]
    return {
        "processes": [
            {
                "release_id": name,
                "alone_ns": one["alone_ns"],
                "together_ns": within(mine, since_ns, until_ns),
            }
            for name, one, mine in zip(names, alone, spans)
        ],
        "shared_ns": max(0, until_ns - since_ns),
        "overlap": overlap,
    }


def shared_time(spans: Sequence[dict[str, Any]], warmup: int) -> tuple[int, int, float]:
    """When all had warmed up and none had ended, and its share of the time from first to last."""
    begins = [one["starts_ns"][min(warmup, len(one["starts_ns"]) - 1)] for one in spans]
    ends = [one["ends_ns"][-1] for one in spans]
    since_ns, until_ns = max(begins), min(ends)
    whole = max(ends) - min(begins)
    return since_ns, until_ns, max(0, until_ns - since_ns) / whole if whole > 0 else 0.0


def within(one: dict[str, Any], since_ns: int, until_ns: int) -> list[int]:
    """How long those inferences took that lie in this time as a whole."""
    pairs = zip(one["starts_ns"], one["ends_ns"])
    return [end - start for start, end in pairs if start >= since_ns and end <= until_ns]
