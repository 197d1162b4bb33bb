from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.domain import Agreement, Board, BoardOutcome, Measurement, Rollout
from orchestrator.fleet.rollout import against_baseline, count_of, reason_to_stop, waves

GUARDED = Rollout(max_slowdown=0.05, max_agreement_loss=0.01)


def fleet(count: int) -> list[Board]:
    return [Board(f"b{n:02d}", f"192.0.2.{n}", 22, "root") for n in range(1, count + 1)]


def cut(count: int, rollout: Rollout) -> list[tuple[str, list[str]]]:
    found = waves(fleet(count), rollout)
    return [(wave.label, [board.name for board in wave.boards]) for wave in found]


def measured(p50_ms: float, agreement: float) -> BoardOutcome:
    samples = tuple([round(p50_ms * 1e6)] * 5)
    return BoardOutcome(
        "b01",
        simulated=True,
        facts={},
        measurement=Measurement("b01", 1, 1, (), samples, {}, {}, {}),
        agreement=Agreement(agreement, 0.5, (agreement,), 1),
    )


def test_without_a_rollout_all_boards_go_at_once() -> None:
    assert cut(3, Rollout()) == [("100%", ["b01", "b02", "b03"])]


def test_waves_grow_to_shares_of_all_boards() -> None:
    found = cut(10, Rollout(waves=("1", "10%", "50%", "100%")))

    assert [(label, len(names)) for label, names in found] == [("1", 1), ("50%", 4), ("100%", 5)]
    assert sorted(name for _, names in found for name in names) == [b.name for b in fleet(10)]


def test_canaries_go_first_and_count_for_the_waves_after_them() -> None:
    found = cut(4, Rollout(canary=("b03",), waves=("50%", "100%")))

    assert found == [("canary", ["b03"]), ("50%", ["b01"]), ("100%", ["b02", "b04"])]


def test_a_canary_that_is_left_out_is_passed_over() -> None:
    assert cut(2, Rollout(canary=("elsewhere",))) == [("100%", ["b01", "b02"])]


def test_no_board_is_left_out_when_the_waves_end_early() -> None:
    assert cut(4, Rollout(waves=("1",))) == [("1", ["b01"]), ("100%", ["b02", "b03", "b04"])]


@pytest.mark.parametrize(("text", "total", "count"), [("3", 10, 3), ("10%", 25, 3), ("1%", 5, 1)])
def test_a_share_of_boards_is_never_none_of_them(text: str, total: int, count: int) -> None:
    assert count_of(text, total) == count


def test_a_rollout_goes_on_while_no_more_fail_than_may() -> None:
    assert reason_to_stop(["b01"], 10, Rollout(max_failed="10%")) is None
    assert reason_to_stop(["b01"], 10, Rollout(max_failed="1")) is None


def test_a_rollout_stops_when_more_fail_and_names_them() -> None:
    reason = reason_to_stop(["b02", "b01"], 10, Rollout(max_failed="10%"))

    assert reason == ("2 of 10 boards failed (b01, b02), the rollout allows 1 (max_failed 10%)")
    assert reason_to_stop(["b01"], 9, Rollout(max_failed="10%")) is not None
    assert reason_to_stop(["b01"], 9, Rollout(max_failed="0")) is not None


def test_a_board_is_held_against_its_own_baseline() -> None:
    before = measured(2.0, 0.99)

    assert against_baseline(measured(2.09, 0.981), before, GUARDED) == ()
    assert against_baseline(measured(2.2, 0.97), before, GUARDED) == (
        "b01: p50 2.200 ms is 10.0% above its baseline 2.000 ms, max_slowdown is 5.0%",
        "b01: agreement 97.00% is 2.00% under its baseline 99.00%, max_agreement_loss is 1.00%",
    )


def test_without_a_baseline_or_a_rule_nothing_is_worse() -> None:
    worse = measured(9.0, 0.1)

    assert against_baseline(worse, None, GUARDED) == ()
    assert against_baseline(worse, measured(2.0, 0.99), Rollout()) == ()
    assert against_baseline(replace(worse, measurement=None), measured(2, 0.1), GUARDED) == ()
