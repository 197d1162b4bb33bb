"""Nights from which on a series is higher or lower than before. Pure.

The place is found as in E-Divisive (Matteson and James, 2014), but by the difference of means; how
sure it is, by permutations. Single nights that stand out are clipped first: they are no step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from orchestrator.domain import ChangePoint
from orchestrator.judging.location import Floats, spread

#: How often chance alone may make a step, for each part of a series that is looked at.
LEVEL = 0.002
#: A step has at least so many nights on each side.
LEAST_NIGHTS = 4
#: Nights are clipped at so many standard deviations from the median of their neighbours.
_CLIP = 2.5
_NEIGHBOURS = 7
_PERMUTATIONS = 999
_AT_ONCE = 111
_SEED = 20_260_202
#: Rounds of looking: a year has no more steps than that worth a name.
_MOST = 12


def change_points(series: Sequence[tuple[str, float]], board: str = "") -> tuple[ChangePoint, ...]:
    """Give the steps of a series of (time, ms), oldest first."""
    if len(series) < 2 * LEAST_NIGHTS:
        return ()
    values = clipped(np.log(np.array([value for _, value in series], dtype=np.float64)))
    found: list[tuple[int, float]] = []
    waiting = [(0, len(values))]
    while waiting and len(found) < _MOST:
        begin, end = waiting.pop(0)
        step = _step(values[begin:end])
        if step is not None:
            place, p = step
            found.append((begin + place, p))
            waiting += [(begin, begin + place), (begin + place, end)]
    places = [0, *sorted(place for place, _ in found), len(values)]
    p_of = dict(found)
    return tuple(
        ChangePoint(
            series[at][0],
            board,
            math.expm1(float(np.mean(values[at:after]) - np.mean(values[before:at]))),
            p_of[at],
        )
        for before, at, after in zip(places, places[1:], places[2:], strict=False)
    )


def clipped(values: Floats) -> Floats:
    """Pull single nights that stand out to where their neighbours are."""
    half = _NEIGHBOURS // 2
    around = np.array(
        [np.median(values[max(0, at - half) : at + half + 1]) for at in range(len(values))]
    )
    reach = _CLIP * spread(values - around)
    return np.clip(values, around - reach, around + reach)


def _step(values: Floats) -> tuple[int, float] | None:
    """Give the likeliest place of a step and its p; None: chance does as much."""
    if len(values) < 2 * LEAST_NIGHTS or float(np.ptp(values)) == 0.0:
        return None
    size, place = _largest(values[None, :])
    random, by_chance = np.random.default_rng(_SEED), 0
    for _ in range(_PERMUTATIONS // _AT_ONCE):
        drawn = random.permuted(np.tile(values, (_AT_ONCE, 1)), axis=1)
        by_chance += int(np.sum(_largest(drawn)[0] >= size[0]))
        p = (1 + by_chance) / (_PERMUTATIONS + 1)
        if p > LEVEL:  # the other permutations cannot make it smaller
            return None
    return int(place[0]), p


def _largest(rows: Floats) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Give for each row the largest weighted difference of means, and where it is."""
    count = rows.shape[1]
    left = np.arange(LEAST_NIGHTS, count - LEAST_NIGHTS + 1)
    sums = np.cumsum(rows, axis=1)
    whole = sums[:, -1:]
    before = sums[:, left - 1] / left
    after = (whole - sums[:, left - 1]) / (count - left)
    sizes = np.abs(before - after) * np.sqrt(left * (count - left) / count)
    best = np.argmax(sizes, axis=1)
    return sizes[np.arange(len(rows)), best], left[best]
