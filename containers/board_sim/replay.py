"""A trace under way: the clock, and what every call does to it. Pure."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from containers.board_sim.traces import FULL_CLOCK_MHZ, Trace

#: The name of the measured model's own memory; AXERA's package gives it.
OWN = "PyEngine"

_LOWEST_CLOCK_MHZ = 400
_CLOCK_STEP_MHZ = 100
_DEGREES_A_STEP = 3.0
#: The sensor's resolution: its file does not change with every call.
_STEP_C = 0.25
#: The share of a call on a good board that is on the NPU; the copies have half of the rest each.
_NPU_SHARE = 0.92
#: The first inference of a process takes 22 ms in AXERA's README, later ones 0.9.
_FIRST_NS = 21_000_000
#: What one look at the clock costs.
_LOOK_NS = 90
#: The driver tells the load of the NPU once a second; of a story that is shorter, more often.
_PERIOD_NS, _PERIODS_A_SPAN = 1_000_000_000, 20
_CPU_FULL_MHZ, _CPU_SLOW_MHZ = 1700, 816


class Parts(NamedTuple):
    """What one call spends its time on."""

    copy_in_ns: int
    npu_ns: int
    copy_out_ns: int


class Sensors(NamedTuple):
    """What the board's files tell at a moment; `holders_kb` leaves out what is always held."""

    temperature_c: float
    npu_clock_mhz: int
    npu_load_percent: int
    holders_kb: Mapping[str, int]
    cpu_governor: str
    cpu_clock_mhz: int


class Replay:
    """One process on a board with a trace.

    The story begins with the process: the board was idle before.

    Args:
        trace: what happens.
        process: the how many-th on this board; each has other noise.
        leaked_kb: memory that earlier processes left behind.
    """

    def __init__(self, trace: Trace, process: int = 0, leaked_kb: int = 0) -> None:
        self.trace = trace
        self.temperature_c = trace.idle_c
        self.leaked_kb = leaked_kb
        self.own_kb = 0
        self.calls = 0
        self._now_ns = self._starts = 0
        words = f"{trace.kind} {trace.seed} {process}"
        self._dice = random.Random(words)  # noqa: S311 - a story, not a secret
        self._period_ns = min(_PERIOD_NS, max(1, trace.span_ns // _PERIODS_A_SPAN))
        self._period_at = self._busy_ns = 0
        self._load_percent = round(100 * trace.tenant_load) if self._tenant_is_there() else 0

    def clock_ns(self) -> int:
        """The simulated time; every look costs a little, as on a board."""
        self._now_ns += _LOOK_NS
        return self._now_ns

    @property
    def now_ns(self) -> int:
        """The simulated time, at no cost."""
        return self._now_ns

    def sleep(self, seconds: float) -> None:
        """Let time pass with the NPU idle: the board cools down."""
        self._pass(round(seconds * 1e9), level_c=self.trace.idle_c)

    def starts(self) -> bool:
        """Whether the engine starts; `transient-init` fails the first time."""
        self._starts += 1
        return self.trace.kind != "transient-init" or self._starts > 1

    def plan(self) -> Parts:
        """What the next call will take if it begins now. Counts as a call."""
        trace, dice = self.trace, self._dice
        factor = _at(self._now_ns, trace.levels) * max(0.5, 1 + dice.gauss(0, trace.jitter))
        factor *= 1 + trace.drift * math.exp(-self._now_ns / trace.drift_ns)
        copy = trace.base_ns * (1 - _NPU_SHARE) / 2 * factor
        npu = trace.base_ns * _NPU_SHARE * factor * FULL_CLOCK_MHZ / self._true_clock_mhz()
        if self._tenant_is_there() and dice.random() < trace.tenant_load:
            npu += trace.base_ns * dice.uniform(0.3, 1.0)
        if dice.random() < trace.late:
            copy += trace.base_ns * dice.uniform(0.05, 0.4)
        if self.calls == 0:
            npu += _FIRST_NS
        if self.calls < len(trace.slow_calls):
            npu += trace.base_ns * trace.slow_calls[self.calls]
        self.calls += 1
        self.leaked_kb += trace.leak_kb
        return Parts(round(copy), round(npu), round(copy))

    def copy(self, ns: int) -> None:
        """Let time pass with the CPU at work; the board stays as warm as the model makes it."""
        self._pass(ns, level_c=self.trace.busy_c)

    def spend(self, ns: int) -> None:
        """Let time pass with the NPU at work."""
        self._busy_ns += ns
        self._pass(ns, level_c=self.trace.busy_c)

    def call(self) -> Parts:
        """Plan a call and spend it."""
        parts = self.plan()
        self.copy(parts.copy_in_ns)
        self.spend(parts.npu_ns)
        self.copy(parts.copy_out_ns)
        return parts

    def sensors(self) -> Sensors:
        """What the board's files tell now."""
        trace = self.trace
        holders = {OWN: self.own_kb + self.leaked_kb}
        if self._tenant_is_there():
            holders[trace.tenant] = trace.tenant_kb
        slow = trace.governor != "performance" and _at(self._now_ns, trace.levels) > 1
        return Sensors(
            temperature_c=round(self.temperature_c / _STEP_C) * _STEP_C,
            npu_clock_mhz=self._true_clock_mhz() if trace.clock_told else FULL_CLOCK_MHZ,
            npu_load_percent=self._load_percent,
            holders_kb={name: size for name, size in holders.items() if size},
            cpu_governor=trace.governor,
            cpu_clock_mhz=_CPU_SLOW_MHZ if slow else _CPU_FULL_MHZ,
        )

    def _tenant_is_there(self) -> bool:
        return self.trace.arrives_ns <= self._now_ns < self.trace.leaves_ns

    def _true_clock_mhz(self) -> int:
        asked = round(_at(self._now_ns, self.trace.steps))
        over = self.temperature_c - self.trace.throttle_c
        if over <= 0:
            return asked
        kept = FULL_CLOCK_MHZ - _CLOCK_STEP_MHZ * math.ceil(over / _DEGREES_A_STEP)
        return min(asked, max(_LOWEST_CLOCK_MHZ, kept))

    def _pass(self, ns: int, level_c: float) -> None:
        """Let time pass, with the exact solution of heating and cooling towards a level."""
        rest = math.exp(-ns / self.trace.heating_ns)
        self.temperature_c = level_c + (self.temperature_c - level_c) * rest
        self._now_ns += ns
        lasted = self._now_ns - self._period_at
        if lasted >= self._period_ns:
            own = min(1.0, self._busy_ns / lasted)
            tenant = self.trace.tenant_load if self._tenant_is_there() else 0.0
            # What the model leaves, the tenant has its share of.
            self._load_percent = round(100 * (own + (1 - own) * tenant))
            self._period_at, self._busy_ns = self._now_ns, 0


def _at(now_ns: int, steps: Sequence[tuple[int, float]]) -> float:
    """The value of a step function; its first step is at 0."""
    return steps[bisect_right(steps, (now_ns, math.inf)) - 1][1]
