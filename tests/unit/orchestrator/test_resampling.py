from __future__ import annotations

import numpy as np
import pytest

from orchestrator.resampling import (
    MIN_IMAGES,
    RESAMPLES,
    _t_quantile,
    interval,
    interval_of_mean,
    weights,
)

#: Two-sided 95 % quantiles, as any table of Student's t has them.
TABLE = {9: 2.262, 15: 2.131, 30: 2.042, 100: 1.984}


def test_the_same_images_give_the_same_interval() -> None:
    shares = np.random.default_rng(3).uniform(0.9, 1, 20).tolist()

    first = interval_of_mean(shares)
    weights.cache_clear()

    assert first == interval_of_mean(shares)


def test_too_few_images_give_no_interval() -> None:
    assert interval_of_mean([0.9] * (MIN_IMAGES - 1)) is None
    assert interval(np.zeros(RESAMPLES), MIN_IMAGES - 1) is None
    assert interval_of_mean([0.9] * MIN_IMAGES) == pytest.approx((0.9, 0.9))


def test_each_resample_has_as_many_images_as_there_are() -> None:
    drawn = weights(12)

    assert drawn.shape == (RESAMPLES, 12)
    assert set(drawn.sum(axis=1)) == {12}
    assert drawn.mean() == pytest.approx(1)


@pytest.mark.parametrize("freedom", TABLE)
def test_the_quantiles_of_t_are_those_of_the_table(freedom: int) -> None:
    assert _t_quantile(freedom) == pytest.approx(TABLE[freedom], abs=0.001)


@pytest.mark.parametrize("images", [10, 16, 40])
def test_95_of_100_intervals_hold_the_true_mean(images: int) -> None:
    random, trials = np.random.default_rng(1), 1000
    held = 0
    for _ in range(trials):
        found = interval_of_mean(random.normal(0.97, 0.01, images).tolist())
        assert found is not None
        held += found[0] <= 0.97 <= found[1]

    assert 0.93 <= held / trials <= 0.97


def test_more_images_make_the_interval_narrower() -> None:
    shares = np.random.default_rng(5).normal(0.9, 0.02, 160).tolist()
    few, many = interval_of_mean(shares[:10]), interval_of_mean(shares)
    assert few is not None
    assert many is not None

    assert many[1] - many[0] < (few[1] - few[0]) / 2
