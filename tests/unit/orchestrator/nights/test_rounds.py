"""Rounds of a night: whose turn it is, what they come to, how long they take."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from orchestrator.cli.verify import seconds_of
from orchestrator.domain import (
    Attempt,
    Board,
    Caps,
    Judged,
    Measurement,
    Night,
    Verdict,
    VerifySpec,
)
from orchestrator.errors import ConfigError
from orchestrator.figures import rounds_ms
from orchestrator.nights.asking import AskedNight, asked_of
from orchestrator.nights.merging import merge
from orchestrator.nights.planning import duration, in_words, plan
from orchestrator.nights.turns import turns
from orchestrator.recipe import load_recipe
from tests.unit.orchestrator.judging.made_nights import Fleet

RECIPE = replace(load_recipe("segformer-tiny"), name="model")


def measured(ms: int, verdict: Verdict = "VALID") -> Attempt:
    reading = {"temperature_c": float(ms)}
    samples = (ms * 1_000_000,) * 4
    found = Measurement(
        "b", 1, 2, (9,), samples, {}, reading, {"temperature_c": ms + 1.0},
        block_sizes=(2, 2), readings=(reading,) * 3, parts_ns={"npu": samples},
    )  # fmt: skip
    return Attempt(found, Judged(verdict))


def test_every_recipe_has_its_turn_in_every_round_and_boards_have_orders_of_their_own() -> None:
    order = list(turns(["a", "b", "c"], range(1, 31), "night", "b01"))

    assert Counter(recipe for _, recipe in order) == {"a": 30, "b": 30, "c": 30}
    assert [number for number, _ in order] == sorted(number for number, _ in order)
    assert order == list(turns(["a", "b", "c"], range(1, 31), "night", "b01"))
    assert order != list(turns(["a", "b", "c"], range(1, 31), "night", "b02"))
    assert {recipe for _, recipe in order[::3]} == {"a", "b", "c"}


def test_rounds_become_one_measurement_and_doubtful_ones_stand_aside() -> None:
    merged = merge([measured(5), measured(9, "THROTTLED"), measured(6, "NOISY")])

    found = merged.last.measurement
    assert found.round_sizes == (4, 4)
    assert found.block_sizes == (2, 2, 2, 2)
    assert len(found.readings) == 5
    assert rounds_ms(found) == (5.0, 6.0)
    assert len(found.parts_ns["npu"]) == 8
    assert merged.last.judged.verdict == "NOISY"
    assert [one.judged.verdict for one in merged.unused] == ["THROTTLED"]


def test_more_rounds_are_put_to_those_that_were_merged_before() -> None:
    first = merge([measured(5), measured(6)])

    found = merge([first.last, measured(7)]).last.measurement

    assert rounds_ms(found) == (5.0, 6.0, 7.0)


def test_where_no_round_counts_the_last_one_stands_with_its_verdict() -> None:
    merged = merge([measured(5, "THROTTLED"), measured(6, "CONTENDED")])

    assert merged.last.judged.verdict == "CONTENDED"
    assert len(merged.unused) == 1


def boards(count: int) -> list[Board]:
    return [Board(f"b{at:02d}", "192.0.2.1", 22, "root", site="fra") for at in range(count)]


def test_the_least_known_boards_come_first() -> None:
    known = {(one.board, "model"): [one] for one in Fleet(count=4).night(1) if one.board != "b02"}

    found = plan(boards(4), [RECIPE], known, 5, Caps(4))

    assert found.boards[0] == "b02"
    assert found.unknown == 1


def test_a_budget_takes_rounds_then_boards_and_names_who_has_no_turn() -> None:
    whole = plan(boards(10), [RECIPE], {}, 5, Caps(1))
    fewer = plan(boards(10), [RECIPE], {}, 5, Caps(1), whole.seconds / 2)
    least = plan(boards(10), [RECIPE], {}, 5, Caps(1), whole.seconds / 20)

    assert whole.left_out == ()
    assert (fewer.rounds, len(fewer.boards)) == (2, 10)
    assert least.rounds == 1
    assert len(least.boards) + len(least.left_out) == 10
    assert least.seconds <= whole.seconds / 20
    assert f"no time for {len(least.left_out)} boards: " in in_words(least)


def test_sites_bound_how_much_goes_on_at_once() -> None:
    free = plan(boards(8), [RECIPE], {}, 1, Caps(8))
    bound = plan(boards(8), [RECIPE], {}, 1, Caps(8, {"fra": 2}))

    assert bound.seconds == pytest.approx(4 * free.seconds)


@pytest.mark.parametrize(
    ("text", "seconds"), [("2h", 7200), ("90m", 5400), ("600s", 600), ("1h 30m", 5400)]
)
def test_a_budget_is_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "2h!", "two hours"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no time"):
        seconds_of(text)


def test_a_night_remembers_what_it_was_asked_for() -> None:
    asked = AskedNight("lab", ("a", "b"), VerifySpec(rounds=3, recipes=("a", "b")), limit="npu3")

    assert asked_of(Night("n", "lab", "2026-01-01", asked=asked.kept())) == asked


def test_durations_are_written_for_people() -> None:
    assert [duration(one) for one in (40, 720, 4320)] == ["40 s", "12 min", "1 h 12 min"]
