from __future__ import annotations

import pytest

from orchestrator.domain import BoardOutcome, Gates, Measurement
from orchestrator.gates import broken_gates


def outcome(n: int, ms: float = 4.0) -> BoardOutcome:
    samples = tuple(round(ms * 1e6) + step for step in range(n))
    return BoardOutcome(
        "b1",
        simulated=False,
        facts={},
        measurement=Measurement("b1", 1, 1, (), samples, {}, {}, {}),
    )


def gates(p50: float | None = None, p90: float | None = None, p99: float | None = None) -> Gates:
    return Gates(None, None, max_p50_ms=p50, max_p90_ms=p90, max_p99_ms=p99)


@pytest.mark.parametrize(
    ("asked", "broken"),
    [
        (gates(5, 5, 5), []),
        (gates(3, 5, 5), ["b1: p50 4.000 ms (95 %: 4.000 to 4.000) is over 3 ms"]),
        (gates(5, 3, 5), ["b1: p90 4.000 ms (95 %: 4.000 to 4.000) is over 3 ms"]),
        (gates(5, 5, 3), ["b1: p99 4.000 ms (95 %: 4.000 to 4.000) is over 3 ms"]),
    ],
)
def test_a_gate_names_the_figure_with_its_interval(asked: Gates, broken: list[str]) -> None:
    assert broken_gates(outcome(300), asked) == broken


@pytest.mark.parametrize(("n", "refused"), [(299, True), (300, False)])
def test_p99_under_300_samples_is_refused_and_not_let_through(n: int, *, refused: bool) -> None:
    found = broken_gates(outcome(n), gates(p99=1000))

    said = "b1: max_p99_ms cannot be judged on 299 samples, it takes 300"
    assert [one.startswith(said) for one in found] == ([True] if refused else [])


def test_p99_of_too_few_samples_is_not_compared() -> None:
    (found,) = broken_gates(outcome(120), gates(p99=1))

    assert "is over" not in found


def test_a_board_that_was_not_measured_breaks_no_gate() -> None:
    assert broken_gates(BoardOutcome("b1", simulated=False, facts={}), gates(1, 1, 1)) == []
