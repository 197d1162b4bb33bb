"""Steps in series of known truth."""

from __future__ import annotations

import numpy as np

from orchestrator.judging.change_points import change_points


def series(seed: int, steps: dict[int, float], nights: int = 60) -> list[tuple[str, float]]:
    random = np.random.default_rng(seed)
    level = np.zeros(nights)
    for at, change in steps.items():
        level[at:] += change
    values = 20 * np.exp(random.normal(0, 0.01, nights) + level)
    return [(f"{at:03d}", float(value)) for at, value in enumerate(values)]


def test_a_step_is_found_where_it_is() -> None:
    for seed in range(10):
        (found,) = change_points(series(seed, {45: 0.03}))
        assert abs(int(found.at) - 45) <= 2
        assert 0.015 < found.change < 0.045


def test_two_steps_are_two() -> None:
    found = change_points(series(1, {20: 0.05, 40: -0.05}))

    assert [one.change > 0 for one in found] == [True, False]


def test_nights_without_a_step_have_none() -> None:
    alarms = sum(bool(change_points(series(seed, {}))) for seed in range(100))

    assert alarms <= 2


def test_single_spikes_are_no_step() -> None:
    for seed in range(20):
        values = series(seed, {})
        for at in (10, 30, 50):
            values[at] = (values[at][0], values[at][1] * 1.3)
        assert change_points(values) == ()


def test_a_short_series_has_no_steps() -> None:
    assert change_points(series(1, {3: 1.0}, nights=7)) == ()
