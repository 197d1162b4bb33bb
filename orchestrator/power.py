"""Watts of a board, from a program on this host that its inventory names.

A hook may fail, hang or talk nonsense: that is a remark on the run, never its end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from orchestrator.domain import Board, Measurement, Power
from orchestrator.latency import tool_figures
from orchestrator.power_hook import HookCaller, Sample

#: A call that takes longer is killed with all that it has started.
CALL_S = 10.0
#: An answer is fetched up to so long after the steady state has ended: the agent looks that often.
_ANSWER_S = 0.3


@dataclass(slots=True)
class PowerMeter:
    """Calls a hook again and again while it is open; without a hook it does nothing.

    Attributes:
        samples: all calls so far, in order.
        ended_s: when it was closed, on the monotonic clock.
    """

    board: Board
    samples: list[Sample] = field(default_factory=list)
    ended_s: float = 0.0

    def read(self, measurement: Measurement) -> Power | None:
        """Give what the board drew in the steady state of a measurement that has just ended."""
        if self.board.power is None:
            return None
        return power_of(self.samples, measurement, self.ended_s, simulated=self.board.simulated)


@contextmanager
def sampled(board: Board, call_s: float = CALL_S) -> Iterator[PowerMeter]:
    """Sample a board's power for as long as the context lasts; a call may last `call_s`."""
    meter = PowerMeter(board)
    if board.power is None:
        yield meter
        return
    caller = HookCaller(board, board.power, meter.samples, call_s)
    thread = threading.Thread(target=caller.go_on, name=f"power of {board.name}", daemon=True)
    thread.start()
    try:
        yield meter
    finally:
        meter.ended_s = time.monotonic()
        caller.stop()
        thread.join(call_s)


def power_of(
    samples: Sequence[Sample], measurement: Measurement, ended_s: float, *, simulated: bool
) -> Power:
    """Give the watts of the calls that lie in the steady state, and the energy of an inference.

    The steady state is the last part of a benchmark, which had ended by `ended_s`.
    """
    n, steady_s = _steady_state(measurement)
    until_s = ended_s - _ANSWER_S if steady_s > _ANSWER_S else ended_s
    since_s = ended_s - _ANSWER_S - max(steady_s, _between_readings_s(measurement))
    heard = [one for one in samples if one.watts is not None]
    inside = [one for one in heard if since_s <= one.at_s <= until_s]
    watts = tuple(one.watts for one in inside if one.watts is not None)
    mean_w = sum(watts) / len(watts) if watts else None
    failed = [one for one in samples if one.watts is None]
    return Power(
        mean_w=mean_w,
        energy_mj=mean_w * steady_s / n * 1e3 if mean_w is not None and n else None,
        watts=watts,
        calls=len(samples),
        failures=len(failed),
        simulated=simulated or any(one.simulated for one in samples),
        remark=_remark(failed, len(samples), len(watts)),
    )


def _steady_state(measurement: Measurement) -> tuple[int, float]:
    """Give how many inferences it had, and how long they took in all, in s."""
    figures = tool_figures(measurement)
    if figures is not None:
        return figures.n, figures.n * figures.mean_ms / 1e3
    return len(measurement.samples_ns), sum(measurement.samples_ns) / 1e9


def _between_readings_s(measurement: Measurement) -> float:
    """Give the time from the first reading of the sensors to the last; 0 where they tell none."""
    times = [one.get("at_ns") for one in measurement.readings]
    told = [time_ns for time_ns in times if isinstance(time_ns, int)]
    return (told[-1] - told[0]) / 1e9 if told else 0.0


def _remark(failed: Sequence[Sample], calls: int, used: int) -> str:
    if failed:
        return f"power: {len(failed)} of {calls} calls failed: {failed[0].remark}"
    if not calls:
        return "power: no call ended meanwhile: does it hang? if not, raise run.min_duration"
    if not used:
        return f"power: none of {calls} calls was in the steady state: raise run.min_duration"
    return ""
