"""Percentiles with their confidence intervals, and whether a series rises. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import combinations
from statistics import median

#: How often an interval holds what it is to hold, at least.
CONFIDENCE = 0.95
_SURE_ENOUGH = 0.97


def percentile(sorted_samples: Sequence[int], percent: float) -> int:
    """Give the nearest-rank percentile: the smallest sample with `percent` % at or below it.

    Args:
        sorted_samples: ascending, not empty.
        percent: 0 < percent <= 100.
    """
    return sorted_samples[_rank(len(sorted_samples), percent) - 1]


def _rank(n: int, percent: float) -> int:
    return max(math.ceil(percent * n / 100), 1)


def interval(sorted_samples: Sequence[int], percent: float) -> tuple[int, int] | None:
    """Give two samples that have the percentile of the population between them.

    It holds for any distribution, for samples that do not depend on each other. None where even
    the smallest and the largest sample do not have it between them surely enough.

    Args:
        sorted_samples: ascending.
        percent: 0 < percent < 100.
    """
    ranks = interval_ranks(len(sorted_samples), percent)
    return None if ranks is None else (sorted_samples[ranks[0] - 1], sorted_samples[ranks[1] - 1])


@cache
def interval_ranks(n: int, percent: float) -> tuple[int, int] | None:
    """Give the ranks, from 1 on, of the closest two samples that are sure enough.

    With B ~ Binomial(n, percent / 100) samples at or below the percentile, it lies between the
    samples of ranks l and u as often as l <= B < u (David and Nagaraja, Order Statistics, 7.1).
    """
    if n <= 1:
        return None
    share = percent / 100
    # l and u are samples: B is neither 0 nor n. From the likeliest B on, the likelier side first.
    low = high = min(_rank(n, percent), n - 1)
    held = _binomial(n, share, low)
    while held < CONFIDENCE:
        below = _binomial(n, share, low - 1) if low > 1 else 0.0
        above = _binomial(n, share, high + 1) if high < n - 1 else 0.0
        if below == above == 0.0:
            return None
        if below >= above:
            low, held = low - 1, held + below
        else:
            high, held = high + 1, held + above
    return _no_surer_than_needed(n, share, (low, high + 1), held)


def _no_surer_than_needed(
    n: int, share: float, ranks: tuple[int, int], held: float
) -> tuple[int, int]:
    """Give ranks as far apart that hold less often, where these hold much too often."""
    low, high = ranks
    if held <= _SURE_ENOUGH:
        return ranks
    down = held + _binomial(n, share, low - 1) - _binomial(n, share, high - 1) if low > 1 else 0.0
    up = held + _binomial(n, share, high) - _binomial(n, share, low) if high < n else 0.0
    others = ((down, (low - 1, high - 1)), (up, (low + 1, high + 1)), (held, ranks))
    return min(one for one in others if one[0] >= CONFIDENCE)[1]


def _binomial(n: int, share: float, count: int) -> float:
    """Give the probability of exactly `count`; by logarithms, for n is large."""
    ways = math.lgamma(n + 1) - math.lgamma(count + 1) - math.lgamma(n - count + 1)
    return math.exp(ways + count * math.log(share) + (n - count) * math.log1p(-share))


def rise(values: Sequence[float]) -> tuple[float, float]:
    """Say how surely a series rises, and by what share of its median from its first to its last.

    The first is Kendall's tau with time, -1..1; the second the median of all pairs' slopes, times
    the length (Theil and Sen). Both bear outliers. (0, 0) for fewer than 3 values.
    """
    if len(values) < 3:  # noqa: PLR2004 - two values always lie on a line
        return 0.0, 0.0
    pairs = [(b - a, j - i) for (i, a), (j, b) in combinations(enumerate(values), 2)]
    tau = sum((up > 0) - (up < 0) for up, _ in pairs) / len(pairs)
    slope = median(up / apart for up, apart in pairs)
    return tau, slope * (len(values) - 1) / median(values)
