"""Raw samples → figures with their intervals. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

from orchestrator.domain import Measurement
from orchestrator.sensors import number
from orchestrator.stats import interval, percentile

#: p99 is refused under this many samples: fewer than two lie above it.
MIN_SAMPLES_FOR_P99 = 100


@dataclass(frozen=True, slots=True)
class Latency:
    """Steady state in ms; `p99_ms` is None when there are too few samples to know it.

    The intervals hold the percentile of the population with 95 % confidence; None: too few samples.
    """

    n: int
    mean_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float | None
    min_ms: float
    max_ms: float
    fps: float
    p50_interval_ms: tuple[float, float] | None = None
    p90_interval_ms: tuple[float, float] | None = None
    p99_interval_ms: tuple[float, float] | None = None

    @property
    def p50_within_ms(self) -> float | None:
        """How far p50 is from the farther end of its interval."""
        if self.p50_interval_ms is None:
            return None
        low, high = self.p50_interval_ms
        return max(high - self.p50_ms, self.p50_ms - low)


@dataclass(frozen=True, slots=True)
class ToolFigures:
    """What an instrument without samples says itself, in ms; `p50_ms` is None where it does not."""

    instrument: str
    n: int
    mean_ms: float
    p50_ms: float | None


def tool_figures(measurement: Measurement) -> ToolFigures | None:
    """Give the figures of an instrument that gives no samples; None where there are samples."""
    summary, instrument = (measurement.runtime.get(key) for key in ("summary", "instrument"))
    if measurement.samples_ns or not isinstance(summary, dict) or not isinstance(instrument, str):
        return None
    count, mean, median = (number(summary, key) for key in ("iterations", "mean_ms", "median_ms"))
    if mean is None:
        return None
    return ToolFigures(instrument, round(count or 0), mean, median)


@dataclass(frozen=True, slots=True)
class PartsMs:
    """Medians of the parts of an inference, in ms; None: the runtime does not let one see it.

    `copy_in`, `npu` and `copy_out` make up the latency; `pre` and `post` are the agent's own work
    around it, and not in it. Medians do not add up exactly.
    """

    pre: float | None
    copy_in: float | None
    npu: float | None
    copy_out: float | None
    post: float | None


def parts_of(measurement: Measurement | None) -> PartsMs | None:
    """Give the medians of the parts; None where no part is told, or one cannot be."""
    told = {} if measurement is None else measurement.parts_ns
    names = [one.name for one in fields(PartsMs)]
    times = [sorted(told.get(name, ())) for name in names]
    if not any(times) or any(one and one[0] < 0 for one in times):
        return None
    return PartsMs(*(percentile(one, 50) / 1e6 if one else None for one in times))


def latency_of(measurement: Measurement | None) -> Latency | None:
    """Give the figures of a measurement; None where it has none, or times that cannot be."""
    samples = () if measurement is None else measurement.samples_ns
    if not samples or not all(0 < one < math.inf for one in samples):
        return None
    return summarise(samples)


def summarise(samples_ns: Sequence[int]) -> Latency:
    """Summarise the samples of one measurement, in ns; there is at least one."""
    ordered = sorted(samples_ns)
    n = len(ordered)
    mean = sum(ordered) / n
    p99 = n >= MIN_SAMPLES_FOR_P99
    return Latency(
        n=n,
        mean_ms=mean / 1e6,
        p50_ms=percentile(ordered, 50) / 1e6,
        p90_ms=percentile(ordered, 90) / 1e6,
        p99_ms=percentile(ordered, 99) / 1e6 if p99 else None,
        min_ms=ordered[0] / 1e6,
        max_ms=ordered[-1] / 1e6,
        fps=1e9 / mean,
        p50_interval_ms=_interval_ms(ordered, 50),
        p90_interval_ms=_interval_ms(ordered, 90),
        p99_interval_ms=_interval_ms(ordered, 99) if p99 else None,
    )


def _interval_ms(ordered: Sequence[int], percent: float) -> tuple[float, float] | None:
    found = interval(ordered, percent)
    return None if found is None else (found[0] / 1e6, found[1] / 1e6)
