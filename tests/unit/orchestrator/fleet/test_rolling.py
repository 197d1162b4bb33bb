"""A release goes through a fleet in waves, whatever happens to single boards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from board_agent import protocol
from orchestrator.accuracy import Truth, answers_sha256
from orchestrator.domain import Recipe, Release, Rollout
from orchestrator.errors import AgentError, Leased, Unreachable
from orchestrator.fleet.rolling import Rolled
from orchestrator.recipe import load_recipe
from tests.unit.orchestrator.fleet.rolling_yard import REFERENCE, Yard


@pytest.fixture
def yard(
    scripted_board: Callable[..., Any],
    recipe: Recipe,
    release: Callable[..., Release],
    progress: Any,
    tmp_path: Path,
) -> Iterator[Yard]:
    made = Yard(
        scripted_board, recipe, release({"m.axmodel": b""}, [b"a", b"b"]), progress, tmp_path
    )
    yield made
    made.ledger.close()


def codes(rolled: Rolled) -> dict[str, str]:
    return {one.board: one.error_code for one in rolled.outcomes}


def test_every_board_is_visited_and_its_outcome_kept(yard: Yard) -> None:
    rolled = yard.roll()

    assert codes(rolled) == dict.fromkeys(("b1", "b2", "b3", "b4"), "")
    assert [one.board for one in yard.ledger.outcomes("run-1")] == ["b1", "b2", "b3", "b4"]
    assert all(one.delivery and one.delivery.activated for one in rolled.outcomes)
    assert not rolled.waiting


def test_answers_are_hashed_and_judged_by_the_masks_as_they_come(yard: Yard) -> None:
    scenes = load_recipe("segformer-tiny")
    few = replace(scenes, evaluation=replace(scenes.evaluation, count=2))

    rolled = yard.roll(truth=Truth(few, REFERENCE))

    assert {one.output_sha256 for one in rolled.outcomes} == {answers_sha256(REFERENCE)}
    for one in yard.ledger.outcomes("run-1"):  # and kept as they were
        assert one.accuracy is not None
        assert one.accuracy.figures["miou_loss"] == 0
        assert one.accuracy.per_class["sky"] == 0


def test_a_wave_begins_when_the_one_before_has_ended(yard: Yard) -> None:
    yard.roll(Rollout(canary=("b3",), waves=("50%",)))

    assert yard.net.opened[:2] == ["b3", "b1"]
    assert sorted(yard.net.opened[2:]) == ["b2", "b4"]


def test_no_wave_begins_when_too_many_have_failed(yard: Yard) -> None:
    yard.net.errors["b1"] = [AgentError("b1: no", "", "MODEL_REJECTED")]

    rolled = yard.roll(Rollout(waves=("1", "100%"), max_failed="0"))

    assert (codes(rolled), rolled.waiting) == ({"b1": "MODEL_REJECTED"}, ("b2", "b3", "b4"))
    assert rolled.stopped
    assert "1 of 4 boards failed (b1), the rollout allows 0" in rolled.ended
    assert yard.net.opened == ["b1"]


def test_a_broken_line_is_tried_again_and_then_it_is_well(yard: Yard) -> None:
    yard.net.errors["b2"] = [Unreachable("b2: gone"), Unreachable("b2: gone")]

    rolled = yard.roll()

    assert codes(rolled)["b2"] == ""
    assert yard.net.opened.count("b2") == 3
    said = [text for subject, text in yard.progress.events if subject == "b2"]
    assert said[0] == "b2: gone; tried again in 1 s"


def test_a_lease_that_a_dead_orch_left_is_waited_for(yard: Yard) -> None:
    yard.net.errors["b2"] = [Leased("b2: another orch holds it", "", 45.0) for _ in range(5)]

    assert codes(yard.roll()) == dict.fromkeys(("b1", "b2", "b3", "b4"), "")
    assert yard.net.opened.count("b2") == 6


def test_a_lease_that_goes_on_is_the_boards_outcome_in_the_end(yard: Yard) -> None:
    yard.net.errors["b2"] = [Leased("b2: another orch holds it", "", 45.0) for _ in range(20)]

    assert codes(yard.roll()) == {"b1": "", "b2": "LEASED", "b3": "", "b4": ""}


def test_boards_that_fail_for_different_reasons_are_both_tried_again(yard: Yard) -> None:
    yard.net.errors["b1"] = [Leased("b1: another orch holds it", "", 5.0)]
    yard.net.errors["b2"] = [Unreachable("b2: gone")]

    assert set(codes(yard.roll()).values()) == {""}
    assert sorted(yard.net.opened[4:]) == ["b1", "b2"]


def test_a_board_that_another_has_had_between_two_tries_is_left_to_that_one(yard: Yard) -> None:
    board = yard.net.boards["b2"]
    board.replies["benchmark"] = protocol.failure("BUSY", "for now", {})
    tokens = iter((1, 3))  # 2 was another's

    def begin() -> None:
        board.replies["probe"]["result"]["lease"] = {"token": next(tokens)}

    yard.net.begin["b2"] = begin

    assert codes(yard.roll())["b2"] == "STALE_TOKEN"
    kinds = [asked["kind"] for asked in board.asked]
    assert kinds.count("activate") == 1
    assert kinds[-2:] == ["probe", "lease"]


def test_a_board_that_nobody_else_has_had_between_two_tries_is_tried_again(yard: Yard) -> None:
    board = yard.net.boards["b2"]
    whole = board.replies["benchmark"]
    board.replies["benchmark"] = protocol.failure("BUSY", "for now", {})
    tokens = iter((1, 2))

    def begin() -> None:
        board.replies["probe"]["result"]["lease"] = {"token": next(tokens)}
        if board.asked:
            board.replies["benchmark"] = whole

    yard.net.begin["b2"] = begin

    assert codes(yard.roll())["b2"] == ""


def test_a_model_that_is_refused_is_not_tried_again(yard: Yard) -> None:
    yard.net.errors["b2"] = [AgentError("b2: no", "", "MODEL_REJECTED")]

    assert codes(yard.roll())["b2"] == "MODEL_REJECTED"
    assert yard.net.opened.count("b2") == 1


def test_work_that_failed_for_the_boards_state_gets_a_name_of_its_own(yard: Yard) -> None:
    yard.net.errors["b2"] = [AgentError("b2: busy", "", "BUSY")]

    yard.roll()

    asked = {one["run_id"] for one in yard.net.boards["b2"].asked if "run_id" in one}
    assert asked == {"run-1-2-benchmark", "run-1-2-infer"}


def test_a_pause_ends_after_a_wave_and_going_on_does_nothing_twice(yard: Yard) -> None:
    paused = yard.roll(Rollout(waves=("1", "50%")), pause=True)

    assert (codes(paused), paused.waiting) == ({"b1": ""}, ("b2", "b3", "b4"))
    assert paused.ended == "paused after wave 1 of 3"
    assert not paused.stopped

    rest = yard.roll(Rollout(waves=("1", "50%")), done=paused.outcomes)

    assert sorted(codes(rest)) == ["b1", "b2", "b3", "b4"]
    assert sorted(yard.net.opened) == ["b1", "b2", "b3", "b4"]


def test_a_board_that_became_slower_goes_back_and_stops_the_rollout(yard: Yard) -> None:
    before = yard.roll().outcomes
    yard.net.boards["b1"].replies = yard.slow
    yard.net.opened.clear()

    rolled = yard.roll(
        Rollout(waves=("1",), max_failed="0", max_slowdown=0.1),
        baselines={one.board: one for one in before},
    )

    (first,) = rolled.outcomes
    assert first.delivery is not None
    assert "100.0% above its baseline" in first.delivery.undone[0]
    assert [one["from"] for one in yard.net.boards["b1"].asked if one["kind"] == "rollback"] == [
        yard.release.release_id
    ]
    assert rolled.waiting == ("b2", "b3", "b4")


def test_a_crash_of_orch_itself_is_one_boards_outcome(yard: Yard) -> None:
    yard.net.errors["b4"] = [ZeroDivisionError("oops")]

    rolled = yard.roll()

    assert codes(rolled)["b4"] == "INTERNAL"
    assert sorted(codes(rolled)) == ["b1", "b2", "b3", "b4"]
