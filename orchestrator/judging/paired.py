"""Each board against its own nights before: the fleet's change, and who moved alone. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy import stats

from orchestrator.domain import BoardEffect, Effect, Outcome, VerifySpec
from orchestrator.judging.location import Floats
from orchestrator.judging.noise import Series

#: How often chance alone may make the fleet move, and any board: together under 1 in 100 nights.
FLEET_LEVEL = 0.003
BOARDS_LEVEL = 0.003
#: From so many boards on the signed-rank test can be sure enough (2 * 0.5^10 < 0.003).
_ENOUGH_BOARDS = 10
#: A board that chance sets apart as often is not held for one that may be too slow.
_SUSPICIOUS = 0.05
_RESAMPLES = 2000
#: What is assumed of the noise is as sure as it will be.
_ASSUMED_FREEDOM = 1000.0
_SEED = 20_260_101
_Z = 1.959963984540054


def compare(
    series: Sequence[Series],
    noise: Mapping[str, float],
    spec: VerifySpec,
    *,
    noise_known: bool = True,
) -> tuple[Effect | None, tuple[BoardEffect, ...]]:
    """Give the fleet's change, and each board's; `noise` is that of `of_changes`."""
    if not series:
        return None, ()
    changes = np.array([one.change for one in series])
    freedom = _freedom(series) if noise_known else _ASSUMED_FREEDOM
    fleet = _fleet(series, changes, noise, spec, freedom)
    middle = math.log1p(fleet.change)
    scale = np.array([noise[one.board] for one in series])
    p = _two_sided((changes - middle) / np.maximum(scale, 1e-9), freedom)
    corrected = stats.false_discovery_control(p) if len(p) > 1 else p
    alone = len(series) > 2  # noqa: PLR2004 - of two boards none is the odd one
    boards = tuple(
        replace(
            _board(one, noise[one.board], middle, float(q), spec, alone=alone),
            noise_known=noise_known,
        )
        for one, q in zip(series, corrected, strict=True)
    )
    return fleet, boards


def margin_of(baseline_ms: float, spec: VerifySpec) -> float:
    """Give the share that is beyond both margins."""
    return max(spec.margin, spec.margin_ms / baseline_ms)


def against_margin(low: float, high: float, margin: float) -> Outcome:
    """Say whether a change between `low` and `high` is no worse than the margin, as shares."""
    if high < margin:
        return "PASS"
    return "FAIL" if low > margin else "INCONCLUSIVE"


def _fleet(
    series: Sequence[Series],
    changes: Floats,
    noise: Mapping[str, float],
    spec: VerifySpec,
    freedom: float,
) -> Effect:
    middle = float(np.median(changes))
    count = len(changes)
    # The median of few boards is hardly more than one board: their noise decides.
    scale = float(np.median([noise[one.board] for one in series]))
    if count >= _ENOUGH_BOARDS:
        low, high = np.quantile(np.median(changes[_drawn(count)], axis=1), (0.025, 0.975))
        p = float(stats.wilcoxon(changes).pvalue) if np.any(changes) else 1.0
    else:
        error = scale * math.sqrt(math.pi / 2 / count if count > 2 else 1 / count)  # noqa: PLR2004
        reach = error * float(stats.t.ppf(0.975, freedom))
        low, high = middle - reach, middle + reach
        p = float(2 * stats.t.sf(abs(middle) / max(error, 1e-9), freedom))
    margin = margin_of(math.exp(float(np.median([one.baseline for one in series]))), spec)
    change, least, most = (math.expm1(float(one)) for one in (middle, low, high))
    moved = p < FLEET_LEVEL and not least <= 0.0 <= most
    return Effect(change, least, most, p, count, moved, against_margin(least, most, margin))


def _board(
    one: Series, noise: float, middle: float, p: float, spec: VerifySpec, *, alone: bool
) -> BoardEffect:
    baseline_ms = math.exp(one.baseline)
    reach = _Z * noise
    margin = margin_of(baseline_ms, spec)
    effect = _effect(one.change, reach, margin, None)
    if alone and effect.verdict == "INCONCLUSIVE" and reach < margin and p > _SUSPICIOUS:
        # Of many boards some reach over the margin by chance, as far as they can be told at all.
        effect = replace(effect, verdict="PASS")
    apart = replace(_effect(one.change - middle, reach, margin, p), moved=p < BOARDS_LEVEL)
    return BoardEffect(
        board=one.board,
        verdict=effect.verdict,
        effect=effect,
        alone=apart if alone else None,
        baseline_ms=baseline_ms,
        nights=len(one.before),
    )


def _effect(change: float, reach: float, margin: float, p: float | None) -> Effect:
    low, high = math.expm1(change - reach), math.expm1(change + reach)
    return Effect(math.expm1(change), low, high, p, 1, False, against_margin(low, high, margin))


def _two_sided(z: Floats, freedom: float) -> Floats:
    p: Floats = np.asarray(2 * stats.t.sf(np.abs(z), freedom))
    return p


def _freedom(series: Sequence[Series]) -> float:
    """Give about how many values the shared noise was taken from; MAD makes half of it useless."""
    nights = sum(max(len(one.before) - 1, 0) for one in series)
    rounds = sum(max(len(one.rounds) - 1, 0) for one in series)
    return max((nights or rounds) * 0.37, 1.0)


@lru_cache(maxsize=4)
def _drawn(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Give the boards of each resample; fewer resamples of very many boards."""
    resamples = max(200, min(_RESAMPLES, 2_000_000 // count))
    return np.random.default_rng(_SEED).integers(0, count, size=(resamples, count))
