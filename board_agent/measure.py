"""The timed inferences: a first one, a warm-up, and a steady state in blocks."""

from __future__ import annotations

import gc
from array import array
from statistics import median
from typing import Any, Callable, Mapping, Sequence

from board_agent import runtime
from board_agent.inner import UNSEEN, Inner
from board_agent.jobs import Plan
from board_agent.request import MAX_ITERATIONS
from board_agent.runtime import Clock, Session

#: What is told of each inference, the latency first. The latency is copy_in + npu + copy_out;
#: `pre` and `post` are the agent's own work before and after it.
LAP = ("latency", "pre", "copy_in", "npu", "copy_out", "post")
_INSIDE = ("copy_in", "npu", "copy_out")

#: A warm-up block has at least so many runs, then ends after so long or at so many.
WARMUP_BLOCK_RUNS = 5
WARMUP_BLOCK_NS = 50_000_000
WARMUP_BLOCK_MOST_RUNS = 200
#: It is over when the medians of the last blocks are this close, as a share of the median...
WARMUP_BLOCKS = 3
WARMUP_DRIFT = 0.02
#: ...or closer than this, or than samples of one block are to each other: that is no drift.
WARMUP_DRIFT_NS = 10_000
#: It is given up here.
WARMUP_MOST_RUNS = 2_000
WARMUP_MOST_NS = 10_000_000_000
#: Inferences of nothing, to see what the agent itself adds.
OVERHEAD_RUNS = 300


class Stopwatch:
    """Takes the time of one inference at a time.

    Attributes:
        feed: gives the inputs, as the runtime wants them.
        keep: takes what the runtime gave, so that it outlives the next run.
    """

    def __init__(
        self,
        session: Session,
        feed: Callable[[], Mapping[str, Any]],
        keep: Callable[[Sequence[object]], object],
        inner: Inner,
    ) -> None:
        self._session, self._feed, self._keep, self._inner = session, feed, keep, inner

    def lap(self) -> tuple[int, ...]:
        """One inference, in ns, as LAP names it; what is inside the latency may be UNSEEN."""
        inner = self._inner
        now_ns = inner.now_ns
        inner.began_ns = inner.ended_ns = UNSEEN
        started = now_ns()
        feed = self._feed()
        began = now_ns()
        outputs = runtime.run_once(self._session, feed)
        ended = now_ns()
        kept = self._keep(outputs)
        done = now_ns()
        del kept
        if inner.ended_ns == UNSEEN:
            inside = (UNSEEN, UNSEEN, UNSEEN)
        else:
            npu = inner.ended_ns - inner.began_ns
            inside = (inner.began_ns - began, npu, ended - inner.ended_ns)
        return (ended - began, began - started, *inside, done - ended)


def measure(
    stopwatch: Stopwatch, plan: Plan, clock: Clock, read: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """The times of a benchmark; `read` gives the sensors, and is asked between the blocks only."""
    first_ns = stopwatch.lap()[0]
    after_first = read()  # all that the model holds is there: who comes later is another
    warmup_ns, ended = warm_up(lambda: stopwatch.lap()[0], clock, plan.warmup)
    laps, sizes = array("q"), []
    readings: list[dict[str, Any]] = []
    collecting = gc.isenabled()
    gc.disable()
    try:
        for least in plan.sizes():
            gc.collect()
            readings += [read()] if not readings else []
            sizes.append(_block(stopwatch, laps, least, plan, clock))
            readings.append(read())
    finally:
        if collecting:
            gc.enable()
    told = {name: laps[index :: len(LAP)] for index, name in enumerate(LAP)}
    samples_ns = told.pop("latency")
    if min(told["npu"]) == UNSEEN:
        told = {name: times for name, times in told.items() if name not in _INSIDE}
    return {
        "first_ns": first_ns,
        "after_first": after_first,
        "warmup_ns": warmup_ns,
        "warmup_ended": ended,
        "samples_ns": samples_ns.tolist(),
        "block_sizes": sizes,
        "readings": readings,
        "parts_ns": {name: times.tolist() for name, times in told.items()},
        "after": readings[-1],
    }


def _block(stopwatch: Stopwatch, laps: array[int], least: int, plan: Plan, clock: Clock) -> int:
    """Append one block's laps; its number of samples."""
    blocks = len(plan.sizes())
    lasts_ns = int((plan.min_duration_s or 0) * 1e9 / blocks)
    most = max(least, MAX_ITERATIONS // blocks)
    begun, done = clock.now_ns(), 0
    while done < least or (done < most and clock.now_ns() - begun < lasts_ns):
        laps.extend(stopwatch.lap())
        done += 1
    return done


def warm_up(
    time_one: Callable[[], int], clock: Clock, planned: int | None
) -> tuple[list[int], str]:
    """The runs that do not count, in ns, and how they ended: `fixed`, `steady` or `cap`."""
    if planned is not None:
        return [time_one() for _ in range(planned)], "fixed"
    times: list[int] = []
    blocks: list[list[int]] = []
    begun = clock.now_ns()

    def capped() -> bool:
        return len(times) >= WARMUP_MOST_RUNS or clock.now_ns() - begun >= WARMUP_MOST_NS

    while not capped():
        block: list[int] = []
        started = clock.now_ns()
        while not _complete(block, clock.now_ns() - started) and not capped():
            block.append(time_one())
            times.append(block[-1])
        blocks.append(block)
        if len(block) >= WARMUP_BLOCK_RUNS and steady(blocks[-WARMUP_BLOCKS:]):
            return times, "steady"
    return times, "cap"


def _complete(block: Sequence[int], took_ns: int) -> bool:
    enough = len(block) >= WARMUP_BLOCK_RUNS
    return enough and (took_ns >= WARMUP_BLOCK_NS or len(block) >= WARMUP_BLOCK_MOST_RUNS)


def steady(blocks: Sequence[Sequence[int]]) -> bool:
    """Whether these blocks of times show no drift."""
    if len(blocks) < WARMUP_BLOCKS:
        return False
    medians = [median(block) for block in blocks]
    spread = max(
        median(abs(time - middle) for time in block) for block, middle in zip(blocks, medians)
    )
    bound = max(WARMUP_DRIFT * min(medians), WARMUP_DRIFT_NS, spread)
    return bool(max(medians) - min(medians) <= bound)


class _Nothing:
    """A session that does nothing, by the same path."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call

    def get_inputs(self) -> Sequence[runtime.Node]:
        """None."""
        return ()

    def get_outputs(self) -> Sequence[runtime.Node]:
        """None."""
        return ()

    def get_providers(self) -> str:
        """None."""
        return ""

    def run(self, output_names: None, input_feed: Mapping[str, Any]) -> Sequence[object]:  # noqa: ARG002 - the runtime's
        """Nothing."""
        self._call()
        return ()


def overhead_ns(clock: Clock, *, watched: bool) -> int:
    """What the agent adds to a latency, the median; `watched`: the C call is timed as well."""
    inner = Inner(clock.now_ns)

    def nothing() -> None:
        pass

    session = _Nothing(inner.wrap(nothing) if watched else nothing)
    stopwatch = Stopwatch(session, dict, list, inner)
    return int(median(stopwatch.lap()[0] for _ in range(OVERHEAD_RUNS)))
