"""One of several processes that share the NPU: it has one session, and runs when it is told to."""

from __future__ import annotations

import gc
import mmap
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Mapping, NamedTuple

from board_agent import runtime
from board_agent.places import Board

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: More are not kept: they run on, so that the others have company.
_MAX_SPANS = 100_000


class Entry(NamedTuple):
    """What one process runs.

    Attributes:
        input: the blob that it is fed; None: zeros.
        iterations: samples, alone and together; `warmup` come before them.
    """

    model: str
    model_path: str
    sidecar: dict[str, Any]
    input: str | None
    warmup: int
    iterations: int


class Company(NamedTuple):
    """Memory that all of them see: byte `place` is 1 once that process has had its samples."""

    memory: mmap.mmap
    place: int
    size: int

    def had_enough(self) -> None:
        """This process would end now."""
        self.memory[self.place : self.place + 1] = b"\1"

    def is_over(self) -> bool:
        """Whether all of them would."""
        return self.memory[: self.size] == b"\1" * self.size


#: Waits for the next order, after it was said what came of the last one.
Report = Callable[["dict[str, Any]"], None]


def work(entry: Entry, board: Board, company: Company, report: Report) -> dict[str, Any]:
    """Load, then time the model alone and, at the next order, in company.

    `report` is called when it is ready, and again with the samples of the time alone.
    """
    axengine = runtime.import_axengine(board)
    session = runtime.open_session(axengine, entry.model_path, runtime.clock_of(axengine, board))
    from board_agent import tensors  # numpy: known to be there only now

    inputs = session.get_inputs()
    tensors.check_inputs(entry.model, entry.sidecar["inputs"], inputs)
    if entry.input is None:
        feed = tensors.zeros(inputs)
    else:
        feed = tensors.read_feed(entry.model, inputs, entry.input)
    for _ in range(1 + entry.warmup):
        runtime.run_once(session, feed)
    gc.collect()
    gc.disable()
    report({"ready": Path(entry.model_path).name})
    report({"alone_ns": [end - start for start, end in alone(session, feed, entry.iterations)]})
    starts, ends = together(session, feed, entry.warmup + entry.iterations, company)
    return {"starts_ns": starts, "ends_ns": ends}


def alone(
    session: runtime.Session, feed: Mapping[str, NDArray[Any]], count: int
) -> list[tuple[int, int]]:
    """Beginnings and ends of so many inferences."""
    return [_timed(session, feed) for _ in range(count)]


def together(
    session: runtime.Session, feed: Mapping[str, NDArray[Any]], count: int, company: Company
) -> tuple[list[int], list[int]]:
    """Beginnings and ends, until every process has `count` of them: none of them runs on alone."""
    starts: list[int] = []
    ends: list[int] = []
    while not company.is_over():
        start, end = _timed(session, feed)
        if len(ends) < _MAX_SPANS:
            starts.append(start)
            ends.append(end)
        if len(ends) >= min(count, _MAX_SPANS):
            company.had_enough()
    return starts, ends


def _timed(session: runtime.Session, feed: Mapping[str, NDArray[Any]]) -> tuple[int, int]:
    # The clock that is the same in all processes, and real: a simulated one is each process's own.
    start = time.monotonic_ns()
    runtime.run_once(session, feed)
    return start, time.monotonic_ns()


def hear(descriptor: int) -> None:
    """Wait for an order; the end of the pipe ends this process: nobody is there to hear it."""
    if not os.read(descriptor, 1):
        os._exit(1)
