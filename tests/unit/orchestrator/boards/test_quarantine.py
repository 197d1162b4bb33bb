from __future__ import annotations

from datetime import timedelta

import pytest

from board_agent import protocol
from orchestrator.boards.quarantine import (
    UNHEALTHY,
    QuarantineRule,
    after,
    pause,
    to_visit,
    why_skipped,
)
from orchestrator.domain import Board, Health

RULE = QuarantineRule()


def at(hour: float) -> str:
    day, rest = divmod(hour, 24)
    return f"2025-01-{int(day) + 1:02d}T{int(rest):02d}:00:00+00:00"


def visited(*codes: str, health: Health | None = None, start: int = 0) -> Health:
    """The health after visits that ended with these codes, an hour apart."""
    for hour, code in enumerate(codes, start=start):
        health = after(health, "b1", code, f"b1: {code}" if code else "", at(hour), RULE)
    assert health is not None
    return health


def test_a_board_leaves_after_three_failures_in_a_row_and_says_since_when_and_why() -> None:
    assert visited("UNREACHABLE", "TIMEOUT").quarantined_since is None

    assert visited("UNREACHABLE", "TIMEOUT", "DISK_FULL") == Health(
        board="b1",
        failures=3,
        since=at(0),
        code="DISK_FULL",
        error="b1: DISK_FULL",
        quarantined_since=at(2),
        next_probe_at=at(3),
        checked_at=at(2),
    )


def test_one_good_visit_brings_a_board_back() -> None:
    out = visited("TIMEOUT", "TIMEOUT", "TIMEOUT")

    assert visited("", health=out, start=3) == Health("b1", checked_at=at(3))


def test_a_good_visit_in_between_begins_the_count_anew() -> None:
    assert visited("TIMEOUT", "TIMEOUT", "", "TIMEOUT", "TIMEOUT").failures == 2


def test_it_is_out_since_the_first_time_however_often_it_is_tried() -> None:
    health = visited("TIMEOUT", "TIMEOUT", "TIMEOUT", "TIMEOUT", "TIMEOUT")

    assert (health.quarantined_since, health.since, health.failures) == (at(2), at(0), 5)


@pytest.mark.parametrize(
    "code", ["REFUSED", "MODEL_REJECTED", "LEASED", "BUSY", "FAILED", "INTERNAL", "DUPLICATE_UID"]
)
def test_what_does_not_speak_of_the_board_neither_counts_nor_heals(code: str) -> None:
    once = visited("INIT_FAILED")

    assert after(once, "b1", code, "x", at(1), RULE) == once
    assert after(None, "b1", code, "x", at(1), RULE) == Health("b1")


@pytest.mark.parametrize("code", ["REFUSED", "MODEL_REJECTED", "LEASED"])
def test_an_answer_of_any_kind_heals_a_board_that_was_not_reached(code: str) -> None:
    out = visited("UNREACHABLE", "UNREACHABLE", "UNREACHABLE")

    assert after(out, "b1", code, "x", at(3), RULE) == Health("b1", checked_at=at(3))


def test_an_error_of_the_host_is_no_answer() -> None:
    out = visited("UNREACHABLE", "UNREACHABLE", "UNREACHABLE")

    assert after(out, "b1", "FAILED", "x", at(3), RULE) == out


def test_the_codes_that_count_exist() -> None:
    of_the_host = {"BOARD", "DEADLINE", "HOST_KEY", "LOGIN", "NOT_WRITABLE", "TOO_HOT"}
    of_the_host.add("UNREACHABLE")
    assert set(UNHEALTHY) - of_the_host - set(protocol.ERRORS) == set()


@pytest.mark.parametrize(
    ("failures", "hours"), [(3, 1), (4, 2), (5, 4), (6, 8), (7, 16), (8, 20), (9, 20), (9999, 20)]
)
def test_the_pause_doubles_up_to_less_than_a_day(failures: int, hours: int) -> None:
    assert pause(failures, RULE) == timedelta(hours=hours)


def test_boards_in_quarantine_are_left_out_until_their_time_has_come() -> None:
    boards = [Board(name, "192.0.2.1", 22, "root") for name in ("b1", "b2", "b3")]
    out = visited("TIMEOUT", "TIMEOUT", "TIMEOUT")
    healths = {"b1": out, "b2": visited("TIMEOUT")}

    early, due = to_visit(healths, boards, at(2)), to_visit(healths, boards, at(3))

    assert [board.name for board in early.visit] == ["b2", "b3"]
    assert early.skipped == {
        "b1": f"in quarantine since {at(2)}: 3 failures in a row, the last TIMEOUT; "
        f"it is tried again after {at(3)}, or now with: orch fleet readmit b1"
    }
    assert (list(due.visit), dict(due.skipped)) == (boards, {})


def test_a_run_at_the_same_time_each_night_tries_every_board() -> None:
    health = visited("TIMEOUT", "TIMEOUT", "TIMEOUT")
    for night in range(1, 12):
        assert why_skipped(health, at(2 + 24 * night)) is None
        health = after(health, "b1", "TIMEOUT", "x", at(2 + 24 * night), RULE)


def test_the_number_of_failures_is_the_fleets_to_choose() -> None:
    assert after(None, "b1", "TIMEOUT", "x", at(0), QuarantineRule(1)).quarantined_since == at(0)
