from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from orchestrator.domain import BoardOutcome, Delivery
from orchestrator.fleet.quorum import Quorum, quorums, with_quorums
from orchestrator.table import Summary

GOOD = Summary("4 of 4 boards measured", (), ())


def board(name: str, answer: str, sdk: str = "V3.6.4", *, simulated: bool = False) -> BoardOutcome:
    facts = {"chip_type": "AX650N_CHIP", "sdk_version": sdk}
    delivery = Delivery("small-1", 0, False, False, {})
    sha256 = answer * 64
    return BoardOutcome(name, simulated, dict(facts), delivery, output_sha256=sha256)


def fleet(answers: str) -> list[BoardOutcome]:
    """Boards b1, b2, …, each with the answer that its letter stands for."""
    return [board(f"b{number}", answer) for number, answer in enumerate(answers, start=1)]


def only(outcomes: Sequence[BoardOutcome]) -> Quorum:
    (found,) = quorums(outcomes, "5.2")
    return found


@pytest.mark.parametrize(
    ("answers", "odd", "majority"),
    [
        ("aa", (), True),
        ("aaaa", (), True),
        ("aab", ("b3",), True),
        ("baaa", ("b1",), True),
        ("abcaa", ("b2", "b3"), True),
        ("ab", (), False),
        ("aabb", (), False),
        ("aabc", (), False),  # two of four are the most, and no more than the half
        ("abc", (), False),
    ],
)
def test_the_odd_one_out_is_who_differs_from_more_than_half(
    answers: str, odd: tuple[str, ...], *, majority: bool
) -> None:
    found = only(fleet(answers))

    assert found.odd == odd
    assert (found.majority is not None) is majority
    assert bool(found.finding) is (len(set(answers)) > 1)


def test_the_odd_one_out_its_group_and_both_answers_are_named() -> None:
    assert only(fleet("aaab")).finding == (
        "b4 gives bbbbbbbbbbbb: not what 3 of 4 boards with release small-1, chip AX650N_CHIP, "
        "SDK V3.6.4 answer to the same inputs, aaaaaaaaaaaa"
    )


def test_with_a_tie_it_is_said_that_there_is_no_majority() -> None:
    assert only(fleet("abba")).finding == (
        "the 4 boards with release small-1, chip AX650N_CHIP, SDK V3.6.4 give different answers to "
        "the same inputs, and no answer has a majority: aaaaaaaaaaaa by b1 b4; bbbbbbbbbbbb by "
        "b2 b3"
    )


def test_boards_with_another_sdk_need_not_agree() -> None:
    found = quorums([*fleet("aa"), board("c1", "b", "V1.45.0"), board("c2", "b", "V1.45.0")], "5.2")

    assert [one.finding for one in found] == ["", ""]
    assert [one.group.rpartition(" ")[2] for one in found] == ["V1.45.0", "V3.6.4"]


def test_simulated_boards_are_not_held_against_genuine_ones() -> None:
    sims = [board(f"s{number}", "c", simulated=True) for number in range(2)]

    assert [one.finding for one in quorums([*fleet("aa"), *sims], "5.2")] == ["", ""]


def test_a_board_alone_and_boards_that_did_not_answer_are_no_quorum() -> None:
    lost = replace(board("b2", "a"), output_sha256="")

    assert quorums([board("b1", "a"), lost], "5.2") == ()


def test_the_odd_one_out_is_a_gate_that_failed() -> None:
    summary = with_quorums(GOOD, quorums(fleet("aaab"), "5.2"))

    assert summary.exit_code == 3
    assert summary.sentence == "4 of 4 boards measured; answers of its own: b4"
    assert summary.failed_gates == (only(fleet("aaab")).finding,)


def test_a_failed_board_counts_more_than_one_that_differs() -> None:
    failed = replace(GOOD, failed_boards=("b9",))

    assert with_quorums(failed, quorums(fleet("aab"), "5.2")).exit_code == 1


def test_boards_that_agree_change_nothing() -> None:
    assert with_quorums(GOOD, quorums(fleet("aaaa"), "5.2")) == GOOD
    assert with_quorums(GOOD, ()) == GOOD


def test_a_tie_names_all_boards_in_the_summary() -> None:
    summary = with_quorums(GOOD, quorums(fleet("ab"), "5.2"))

    assert summary.sentence.endswith("; different answers, no majority: b1, b2")
