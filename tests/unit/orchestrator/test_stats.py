from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.intervals import DISTRIBUTIONS, LEAST, MOST, coverage, exact_coverage
from orchestrator.stats import interval, interval_ranks, percentile, rise


@pytest.mark.parametrize(
    ("samples", "percent", "expected"),
    [
        # The worked example of the nearest-rank method, five values.
        ([15, 20, 35, 40, 50], 5, 15),
        ([15, 20, 35, 40, 50], 30, 20),
        ([15, 20, 35, 40, 50], 40, 20),
        ([15, 20, 35, 40, 50], 50, 35),
        ([15, 20, 35, 40, 50], 100, 50),
        ([7], 1, 7),
        ([7], 99, 7),
        ([1, 2], 50, 1),
        ([1, 2], 50.1, 2),
    ],
)
def test_a_percentile_is_the_nearest_rank(
    samples: list[int], percent: float, expected: int
) -> None:
    assert percentile(samples, percent) == expected


@pytest.mark.parametrize("percent", range(1, 101))
def test_no_rounding_moves_a_rank(percent: int) -> None:
    for n in range(1, 201):
        rank = percentile(range(1, n + 1), percent)
        # The smallest rank with at least `percent` % of the samples at or below it.
        assert 100 * rank >= percent * n > 100 * (rank - 1)


@pytest.mark.parametrize(
    ("n", "percent", "ranks"),
    [
        # Tables of the sign test's interval of a median (Conover, table of the binomial at 0.5).
        (6, 50, (1, 6)),
        (20, 50, (6, 15)),
        (100, 50, (40, 60)),
        (5, 50, None),
        (1, 50, None),
        (0, 50, None),
        # 1 - 0.9^n is 0.95 from 29 on, 1 - 0.99^n from 299 on.
        (28, 90, None),
        (298, 99, None),
    ],
)
def test_an_interval_has_the_ranks_that_the_binomial_gives(
    n: int, percent: float, ranks: tuple[int, int] | None
) -> None:
    assert interval_ranks(n, percent) == ranks


@pytest.mark.parametrize(("percent", "fewest"), [(50, 11), (90, 29), (99, 299)])
def test_an_interval_is_as_sure_as_it_says_and_hardly_surer(percent: float, fewest: int) -> None:
    for n in (*range(fewest, fewest + 300), 1000, 2500):
        ranks = interval_ranks(n, percent)
        assert ranks is not None
        assert 0.95 - 1e-12 <= exact_coverage(n, percent, ranks) < 0.973
        assert ranks[0] <= max(1, math.ceil(percent * n / 100)) <= ranks[1]


def test_an_interval_is_made_of_samples() -> None:
    assert interval(range(101, 201), 50) == (140, 160)
    assert interval([1, 2, 3], 50) is None


@pytest.mark.parametrize("distribution", sorted(DISTRIBUTIONS))
@pytest.mark.parametrize(("percent", "n"), [(50, 100), (90, 200), (99, 300)])
def test_intervals_hold_the_true_percentile_of_any_distribution(
    distribution: str, percent: float, n: int
) -> None:
    dice = np.random.default_rng(7)

    found = coverage(distribution, percent, n, 2500, dice)

    assert LEAST <= found.share <= MOST
    # Theory and simulation agree to three standard errors.
    assert abs(found.share - found.exact) < 3 * math.sqrt(0.05 * 0.95 / 2500)


@pytest.mark.parametrize(
    ("values", "sure", "share"),
    [
        ([100, 101, 102, 103, 104], 1, 4 / 102),
        ([104, 103, 102, 101, 100], -1, -4 / 102),
        ([100, 101, 500, 103, 104], 0.6, 5 / 103),
        ([100, 100, 100], 0, 0),
        ([100, 200], 0, 0),
        ([], 0, 0),
    ],
)
def test_a_rise_bears_outliers(values: list[float], sure: float, share: float) -> None:
    assert rise(values) == pytest.approx((sure, share), abs=0.02)
