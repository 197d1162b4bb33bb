"""The compiler's cycles at a board's NPU clock, against what was measured. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from orchestrator.domain import Figures, Finding

#: A ratio of measured to predicted that has drifted further than this is worth a look.
_DRIFT = 0.05
#: Nights of a board that say where its ratio was.
_ENOUGH_NIGHTS = 3


def ratio(figures: Figures) -> float | None:
    """Give measured over predicted time; None: not both are known, or the board is simulated.

    Measured is the part inside the NPU where the runtime shows it. A simulated board has no NPU.
    """
    measured = figures.npu_ms if figures.npu_ms is not None else figures.p50_ms
    clock, cycles = figures.npu_clock_mhz, figures.max_cycle
    if figures.simulated or not figures.usable or not measured or not clock or not cycles:
        return None
    return measured * clock * 1e3 / cycles


def drifting(tonight: Sequence[Figures], before: Sequence[Figures]) -> tuple[Finding, ...]:
    """Name the boards whose ratio is not what it was, beyond what the whole fleet's did."""
    earlier: dict[tuple[str, int | None], list[float]] = {}
    for one in before:
        if (found := ratio(one)) is not None:
            earlier.setdefault((one.board, one.max_cycle), []).append(found)
    moved: dict[str, tuple[float, float]] = {}
    for one in tonight:
        now, was = ratio(one), earlier.get((one.board, one.max_cycle), [])
        if now is not None and len(was) >= _ENOUGH_NIGHTS:
            moved[one.board] = (median(was), now)
    drifts = {name: math.log(now / was) for name, (was, now) in moved.items()}
    common = median(drifts.values()) if len(drifts) > 2 else 0.0  # noqa: PLR2004 - two have no middle
    return tuple(
        Finding(
            "prediction",
            (name,),
            f"{name}: measured over predicted time was {moved[name][0]:.3f} and is "
            f"{moved[name][1]:.3f}: clock, memory or driver, not the model",
            math.expm1(drift),
        )
        for name, drift in sorted(drifts.items())
        if abs(drift - common) > _DRIFT
    )
