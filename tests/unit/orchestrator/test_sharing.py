"""Several processes on one NPU: what a board says, and what may be believed of it."""

from __future__ import annotations

import pytest

from orchestrator.domain import Contender, Json, Judged
from orchestrator.errors import AgentError
from orchestrator.sharing import contention_of, judged, overlap_of

MS = 1_000_000


def process(alone_ms: float, together_ms: float, n: int = 10) -> dict[str, Json]:
    alone: list[Json] = [int(alone_ms * MS)] * 5
    together: list[Json] = [int(together_ms * MS)] * n
    return {"release_id": None, "alone_ns": alone, "together_ns": together}


def reply(*processes: Json, overlap: float = 0.9, **more: Json) -> dict[str, Json]:
    known: dict[str, Json] = {"shared_ns": 200 * MS, "before": {}, "after": {}}
    known |= {"processes": list(processes), "overlap": overlap}
    return known | more


def test_each_process_has_its_slowdown_and_throughput() -> None:
    found = contention_of("b1", reply(process(10, 20), process(10, 25)), ["r1", "r2"], 10)

    assert [one.release_id for one in found.contenders] == ["r1", "r2"]
    assert [one.alone_ms for one in found.contenders] == [10.0, 10.0]
    assert [one.slowdown for one in found.contenders] == [2.0, 2.5]
    assert [one.per_s for one in found.contenders] == [50.0, 50.0]
    assert found.judged == Judged("VALID")
    assert (found.instrument, found.overlap) == ("axengine", 0.9)


def test_processes_that_missed_each_other_are_no_contention() -> None:
    found = contention_of("b1", reply(process(1, 2), process(1, 2), overlap=0.1), ["r", "r"], 10)

    assert found.judged is not None
    (evidence,) = found.judged.evidence
    assert (found.judged.verdict, evidence.sensor, evidence.value) == ("INVALID", "overlap", 0.1)


def test_a_process_without_a_sample_in_the_shared_time_is_named() -> None:
    found = contention_of("b1", reply(process(1, 2), process(1, 2, n=0)), ["r", "r"], 10)

    assert found.judged is not None
    assert found.judged.verdict == "INVALID"
    assert "process 2 has no sample" in str(found.judged.evidence[0])


def test_too_few_samples_in_the_shared_time_are_not_enough() -> None:
    found = contention_of("b1", reply(process(1, 2), process(1, 2, n=4)), ["r", "r"], 10)

    assert found.judged is not None
    assert found.judged.verdict == "INVALID"
    assert "process 2 has 4 samples" in str(found.judged.evidence[0])


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ({"npu_load_percent": 30.0}, {}, "CONTENDED"),
        ({"npu_clock_mhz": 800}, {"npu_clock_mhz": 400}, "THROTTLED"),
        ({"npu_clock_mhz": 800}, {"npu_clock_mhz": 800}, "VALID"),
        ({"npu_load_percent": 5.0}, {}, "VALID"),
    ],
)
def test_a_stranger_or_a_lower_clock_speaks_against_it(
    before: dict[str, Json], after: dict[str, Json], verdict: str
) -> None:
    answer = reply(process(1, 2), process(1, 2), before=before, after=after)
    found = contention_of("b1", answer, ["r", "r"], 10)

    assert found.judged is not None
    assert found.judged.verdict == verdict


def test_the_tools_figures_are_valid_with_a_reservation() -> None:
    one = Contender("r", 1, "mean", 1.0, 2.0, 500.0)

    found = judged("ax_run_model", [one, one], 0.9, {}, {}, 10)

    assert found.verdict == "VALID"
    assert "no samples" in str(found.evidence[0])


@pytest.mark.parametrize(
    ("spans", "share"),
    [
        ([(0, 10), (0, 10)], 1.0),
        ([(0, 10), (5, 10)], 0.5),
        ([(0, 10), (10, 20)], 0.0),
        ([(0, 5), (10, 20)], 0.0),
        ([(3, 3), (3, 3)], 0.0),
    ],
)
def test_the_overlap_is_the_share_of_the_time_that_all_had(
    spans: list[tuple[int, int]], share: float
) -> None:
    assert overlap_of(spans) == share


@pytest.mark.parametrize(
    "broken",
    [
        {"processes": []},
        {"processes": [process(1, 2)]},
        {"processes": [process(1, 2), 7]},
        {"processes": [process(1, 2), {"alone_ns": [], "together_ns": [1]}]},
        {"processes": [process(1, 2), {"alone_ns": [1], "together_ns": [-1]}]},
        {"processes": [process(1, 2), {"alone_ns": [0], "together_ns": [1]}]},
        {"shared_ns": None},
        {"overlap": "much"},
        {"before": None},
    ],
)
def test_an_answer_that_is_none_is_refused(broken: dict[str, Json]) -> None:
    with pytest.raises(AgentError, match="no usable"):
        contention_of("b1", reply(process(1, 2), process(1, 2)) | broken, ["r", "r"], 10)
