from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from orchestrator.domain import Json, Measurement
from orchestrator.latency import block_spread, judge, percentile, summarise

STEADY = [1_000_000] * 100


def measured(
    samples_ns: Sequence[int],
    before: Mapping[str, Json] | None = None,
    after: Mapping[str, Json] | None = None,
) -> Measurement:
    return Measurement("b", 1, 1, (), tuple(samples_ns), {}, before or {}, after or {})


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


def test_a_summary_is_in_ms_whatever_the_order_of_the_samples() -> None:
    latency = summarise([4_000_000, 1_000_000, 3_000_000, 2_000_000])

    assert (latency.n, latency.mean_ms, latency.fps) == (4, 2.5, 400)
    assert (latency.min_ms, latency.p50_ms, latency.p90_ms, latency.max_ms) == (1, 2, 4, 4)


def test_p99_is_refused_under_100_samples() -> None:
    samples = [n * 1_000_000 for n in range(1, 101)]

    assert summarise(samples[:99]).p99_ms is None
    assert summarise(samples).p99_ms == 99


@pytest.mark.parametrize(
    ("samples", "evidence"),
    [([], "there are no samples"), ([5, 0, 5], "a sample is 0 ns"), ([5, -1], "a sample is -1 ns")],
)
def test_no_samples_or_times_that_cannot_be_are_invalid(samples: list[int], evidence: str) -> None:
    judged = judge(measured(samples))

    assert judged.verdict == "INVALID"
    assert [str(one) for one in judged.evidence] == [evidence]


def test_a_busy_npu_before_the_measurement_is_contended() -> None:
    judged = judge(measured(STEADY, {"npu_load_percent": 40}))

    assert judged.verdict == "CONTENDED"
    assert "40 %" in str(judged.evidence[0])


def test_a_clock_that_fell_is_throttled() -> None:
    judged = judge(measured(STEADY, {"npu_clock_mhz": 800}, {"npu_clock_mhz": 400}))

    assert judged.verdict == "THROTTLED"
    assert "from 800 to 400 MHz" in str(judged.evidence[0])


def test_a_drifting_steady_state_is_noisy() -> None:
    judged = judge(measured([1_000_000] * 80 + [1_200_000] * 20))

    assert judged.verdict == "NOISY"
    assert "20.0% apart" in str(judged.evidence[0])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        ({"npu_load_percent": 5, "npu_clock_mhz": 800}, {"npu_clock_mhz": 800}),
        ({"npu_load_percent": None, "npu_clock_mhz": "fast"}, {"npu_clock_mhz": None}),
        ({"npu_clock_mhz": 400}, {"npu_clock_mhz": 800}),
    ],
)
def test_a_steady_measurement_is_valid(before: dict[str, Json], after: dict[str, Json]) -> None:
    judged = judge(measured([*STEADY, 90_000_000], before, after))

    assert (judged.verdict, judged.evidence) == ("VALID", ())


def test_the_spread_compares_the_medians_of_five_blocks() -> None:
    assert block_spread([10, 10, 20, 20, 10, 10, 10, 10, 15, 15]) == 1.0
    assert block_spread([10, 20, 30, 40]) == 0
