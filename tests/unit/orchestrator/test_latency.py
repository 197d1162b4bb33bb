from __future__ import annotations

import pytest

from orchestrator.domain import Json, Measurement
from orchestrator.latency import latency_of, summarise, tool_figures


def test_a_summary_is_in_ms_whatever_the_order_of_the_samples() -> None:
    latency = summarise([4_000_000, 1_000_000, 3_000_000, 2_000_000])

    assert (latency.n, latency.mean_ms, latency.fps) == (4, 2.5, 400)
    assert (latency.min_ms, latency.p50_ms, latency.p90_ms, latency.max_ms) == (1, 2, 4, 4)
    assert (latency.p50_interval_ms, latency.p50_within_ms) == (None, None)


def test_p99_is_refused_under_100_samples() -> None:
    samples = [n * 1_000_000 for n in range(1, 101)]

    assert summarise(samples[:99]).p99_ms is None
    assert summarise(samples).p99_ms == 99


def test_percentiles_have_the_samples_around_them_as_their_intervals() -> None:
    latency = summarise([n * 1_000_000 for n in range(300, 0, -1)])

    assert latency.p50_interval_ms == (133, 167)
    assert latency.p50_within_ms == 17
    assert latency.p90_interval_ms is not None
    assert latency.p90_interval_ms[0] < 270 < latency.p90_interval_ms[1]
    assert latency.p99_interval_ms is not None
    assert latency.p99_interval_ms[0] < 297 < latency.p99_interval_ms[1] == 300


def test_p99_has_no_interval_before_the_largest_sample_is_sure_to_be_above_it() -> None:
    latency = summarise([1_000_000] * 298)

    assert (latency.p99_ms, latency.p99_interval_ms) == (1, None)


@pytest.mark.parametrize("samples", [(), (0,), (0, 0, 0), (5, -1), (5, float("nan"))])
def test_times_that_cannot_be_have_no_figures(samples: tuple[int, ...]) -> None:
    assert latency_of(Measurement("b", 1, 1, (), samples, {}, {}, {})) is None
    assert latency_of(None) is None


def test_an_instrument_that_says_no_number_has_no_figures() -> None:
    told: dict[str, Json] = {
        "instrument": "ax_run_model",
        "summary": {"iterations": 5, "mean_ms": float("nan")},
    }

    assert tool_figures(Measurement("b", None, None, (), (), told, {}, {})) is None
