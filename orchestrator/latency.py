"""Raw samples → figures and a verdict. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.domain import Evidence, Json, Judged, Measurement

#: p99 is refused under this many samples: fewer than two lie above it.
MIN_SAMPLES_FOR_P99 = 100
#: Steady state is cut into this many blocks to see whether it is steady.
BLOCKS = 5
#: Block medians that lie further apart than this are noise, not a result.
MAX_BLOCK_SPREAD = 0.10
#: An NPU that is this busy before the measurement is somebody else's.
MAX_FOREIGN_NPU_LOAD_PERCENT = 5.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Steady state in ms; `p99_ms` is None when there are too few samples to know it."""

    n: int
    mean_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float | None
    min_ms: float
    max_ms: float
    fps: float


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
    count, mean, median = (_number(summary, key) for key in ("iterations", "mean_ms", "median_ms"))
    if mean is None:
        return None
    return ToolFigures(instrument, round(count or 0), mean, median)


def percentile(sorted_samples: Sequence[int], percent: float) -> int:
    """Give the nearest-rank percentile: the smallest sample with `percent` % at or below it.

    Args:
        sorted_samples: ascending, not empty.
        percent: 0 < percent <= 100.
    """
    rank = math.ceil(percent * len(sorted_samples) / 100)
    return sorted_samples[max(rank, 1) - 1]


def summarise(samples_ns: Sequence[int]) -> Latency:
    """Summarise the samples of one measurement, in ns; there is at least one."""
    ordered = sorted(samples_ns)
    n = len(ordered)
    mean = sum(ordered) / n
    return Latency(
        n=n,
        mean_ms=mean / 1e6,
        p50_ms=percentile(ordered, 50) / 1e6,
        p90_ms=percentile(ordered, 90) / 1e6,
        p99_ms=percentile(ordered, 99) / 1e6 if n >= MIN_SAMPLES_FOR_P99 else None,
        min_ms=ordered[0] / 1e6,
        max_ms=ordered[-1] / 1e6,
        fps=1e9 / mean,
    )


def judge(measurement: Measurement) -> Judged:
    """Say what may be believed of a measurement, and why: the worst finding counts."""
    samples, figures = measurement.samples_ns, tool_figures(measurement)
    if figures is None and min(samples, default=0) <= 0:
        why = f"a sample is {min(samples)} ns" if samples else "there are no samples"
        return Judged("INVALID", (Evidence("INVALID", "samples", why),))
    before, after = measurement.before, measurement.after
    load = _number(before, "npu_load_percent")
    if load is not None and load > MAX_FOREIGN_NPU_LOAD_PERCENT:
        busy = f"the NPU was {load:.0f} % busy before the measurement"
        return Judged("CONTENDED", (Evidence("CONTENDED", "npu_load_percent", busy),))
    clocks = _number(before, "npu_clock_mhz"), _number(after, "npu_clock_mhz")
    if clocks[0] is not None and clocks[1] is not None and clocks[1] < clocks[0]:
        fell = f"the NPU clock fell from {clocks[0]:.0f} to {clocks[1]:.0f} MHz"
        return Judged("THROTTLED", (Evidence("THROTTLED", "npu_clock_mhz", fell),))
    if figures is not None:
        unseen = f"{figures.instrument} gives no samples: whether it was steady is not known"
        return Judged("VALID", (Evidence("VALID", "samples", unseen),))
    spread = block_spread(samples)
    if spread > MAX_BLOCK_SPREAD:
        bound = f"{MAX_BLOCK_SPREAD:.0%}"
        apart = f"block medians lie {spread:.1%} apart, more than {bound}"
        return Judged("NOISY", (Evidence("NOISY", "samples", apart),))
    return Judged("VALID")


def block_spread(samples_ns: Sequence[int]) -> float:
    """Give (largest - smallest) / smallest of the medians of BLOCKS consecutive blocks."""
    size = len(samples_ns) // BLOCKS
    if size == 0:
        return 0.0
    medians = [
        percentile(sorted(samples_ns[start : start + size]), 50)
        for start in range(0, size * BLOCKS, size)
    ]
    return (max(medians) - min(medians)) / min(medians)


def _number(facts: Mapping[str, Json], key: str) -> float | None:
    value = facts.get(key)
    return float(value) if isinstance(value, int | float) else None
