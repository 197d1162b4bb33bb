"""A measurement → what may be believed of it, and why. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from orchestrator.blocks import blocks
from orchestrator.disturbances import contended, leaked, throttled
from orchestrator.domain import Evidence, Judged, Measurement, RunSpec, Verdict
from orchestrator.latency import ToolFigures, tool_figures
from orchestrator.stats import percentile

#: The worst first. Who shares the NPU is worse than a hot board: nothing of it is the model's.
SEVERITY: tuple[Verdict, ...] = ("INVALID", "CONTENDED", "THROTTLED", "NOISY", "VALID")
#: Block medians that lie further apart than this are noise, not a result.
MAX_BLOCK_SPREAD = 0.10
#: A tenth of the samples that takes this much longer than the median is no tail but a second state.
MAX_TAIL = 0.25
#: Fewer samples have no tenth.
_FEWEST_FOR_TAIL = 20
#: Fewer samples make one block, and there is nothing to compare it with.
_FEWEST_TO_COMPARE = 10


def judge(measurement: Measurement, asked: RunSpec | None = None) -> Judged:
    """Say what may be believed of a measurement; all findings are kept, the worst first.

    `asked` is what the samples must be as many as; None: nobody knows.
    """
    figures = tool_figures(measurement)
    if broken := _invalid(measurement, figures, asked):
        return Judged("INVALID", tuple(broken))
    found = [*contended(measurement), *throttled(measurement)]
    if figures is None:
        found += _noisy(measurement)
    else:
        unseen = f"{figures.instrument} gives no samples: whether it was steady is not known"
        found.append(Evidence("VALID", "samples", unseen))
    found += leaked(measurement)
    found.sort(key=lambda one: SEVERITY.index(one.verdict))
    return Judged(found[0].verdict if found else "VALID", tuple(found))


def _invalid(
    measurement: Measurement, figures: ToolFigures | None, asked: RunSpec | None
) -> list[Evidence]:
    """Say what makes it no measurement."""
    if figures is not None:
        told = [figures.mean_ms, *([] if figures.p50_ms is None else [figures.p50_ms])]
        wrong = [one for one in told if not one > 0]
        return [_broken(f"{figures.instrument} says {one:g} ms", one) for one in wrong[:1]]
    samples = measurement.samples_ns
    if not samples:
        return [_broken("there are no samples", 0)]
    found = _impossible("sample", samples)
    for part, times in measurement.parts_ns.items():
        if len(times) != len(samples):
            text = f"{part} has {len(times)} times, there are {len(samples)} samples"
            found.append(_broken(text, len(times), len(samples)))
    sizes = measurement.block_sizes
    if sizes and sum(sizes) != len(samples):
        text = f"{len(sizes)} blocks hold {sum(sizes)} samples, {len(samples)} came back"
        found.append(_broken(text, len(samples), sum(sizes)))
    return found + ([] if asked is None else _miscounted(len(samples), asked))


def _impossible(what: str, times_ns: Sequence[float]) -> list[Evidence]:
    wrong = [(place, one) for place, one in enumerate(times_ns) if not 0 < one < math.inf]
    if not wrong:
        return []
    place, worst = wrong[0]
    more = f", and {len(wrong) - 1} more like it" if len(wrong) > 1 else ""
    return [_broken(f"{what} {place + 1} of {len(times_ns)} is {worst} ns{more}", worst)]


def _miscounted(n: int, asked: RunSpec) -> list[Evidence]:
    least = asked.iterations
    if n == least or (n > least and asked.min_duration_s is not None):
        return []
    more = " or more" if asked.min_duration_s is not None else ""
    return [_broken(f"{n} samples came back, {least}{more} were asked for", n, least)]


def _broken(text: str, value: float, bound: float | None = None) -> Evidence:
    # What is no number would make the report no JSON.
    told = value if math.isfinite(value) else None
    return Evidence("INVALID", "samples", text, value=told, bound=bound)


def _noisy(measurement: Measurement) -> list[Evidence]:
    """Say where the steady state was not steady."""
    found: list[Evidence] = []
    parts = blocks(measurement)
    n = len(measurement.samples_ns)
    if n < _FEWEST_TO_COMPARE:
        unseen = f"too few to tell whether it was steady, {n} of {_FEWEST_TO_COMPARE} samples"
        found.append(Evidence("VALID", "samples", unseen, value=n))
    low = min(parts, key=lambda one: one.p50_ns)
    high = max(parts, key=lambda one: one.p50_ns)
    spread = (high.p50_ns - low.p50_ns) / low.p50_ns
    if spread > MAX_BLOCK_SPREAD:
        text = (
            f"block medians lie {spread:.1%} apart, more than {MAX_BLOCK_SPREAD:.0%}: "
            f"{low.p50_ns / 1e6:.3f} ms in {low.name}, {high.p50_ns / 1e6:.3f} in {high.name}"
        )
        found.append(Evidence("NOISY", "samples", text, high.first, spread, MAX_BLOCK_SPREAD))
    ordered = sorted(measurement.samples_ns)
    p50, p90 = (percentile(ordered, percent) for percent in (50, 90))
    tail = p90 / p50 - 1
    if len(ordered) >= _FEWEST_FOR_TAIL and tail > MAX_TAIL:
        text = (
            f"a tenth of the samples takes {tail:.1%} longer than the median or more, "
            f"which is more than {MAX_TAIL:.0%}"
        )
        found.append(Evidence("NOISY", "samples", text, None, tail, MAX_TAIL))
    return found
