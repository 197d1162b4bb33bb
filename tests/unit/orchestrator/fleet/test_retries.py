from __future__ import annotations

import pytest

from orchestrator.fleet.retries import (
    LEASE_PAUSE_S,
    STATE_PAUSE_S,
    TRANSPORT_PAUSE_S,
    Retries,
)


def test_a_broken_line_is_tried_again_soon_and_under_the_same_name() -> None:
    retries = Retries(1)

    assert retries.take("b1", "UNREACHABLE") == TRANSPORT_PAUSE_S
    assert retries.name("b1", "run", "UNREACHABLE") == "run"


def test_a_busy_board_is_tried_again_after_a_pause_as_new_work() -> None:
    retries = Retries(1)

    assert retries.take("b1", "BUSY") == STATE_PAUSE_S
    assert retries.name("b1", "run", "BUSY") == "run-2"
    assert retries.take("b1", "INIT_FAILED") == STATE_PAUSE_S
    assert retries.name("b1", "run", "INIT_FAILED") == "run-3"


@pytest.mark.parametrize(
    "code",
    [
        *("", "MODEL_REJECTED", "REFUSED", "HOST_KEY", "GOLDEN_MISMATCH", "TIMEOUT", "LOGIN"),
        "STALE_TOKEN",
    ],
)
def test_what_waiting_does_not_mend_is_never_tried_again(code: str) -> None:
    assert Retries(8).take("b1", code) is None


def test_a_board_has_two_more_tries() -> None:
    retries = Retries(100)

    assert [retries.take("b1", "UNREACHABLE") is None for _ in range(3)] == [False, False, True]
    assert retries.take("b2", "UNREACHABLE") is not None


def test_all_boards_together_have_half_as_many_tries_as_they_are() -> None:
    retries = Retries(20)

    taken = [retries.take(f"b{number}", "UNREACHABLE") for number in range(20)]

    assert sum(pause is not None for pause in taken) == 10


def test_the_lease_of_another_is_waited_for_until_it_would_end_and_no_longer() -> None:
    retries = Retries(1)

    # It is renewed all the time: whoever has it is at work.
    pauses = [retries.take("b1", "LEASED", 45.0) for _ in range(8)]

    assert pauses == [LEASE_PAUSE_S] * 6 + [None] * 2


def test_waiting_for_leases_takes_no_tries_from_the_fleet() -> None:
    retries = Retries(2)

    assert all(retries.take(f"b{number}", "LEASED", 60.0) for number in range(50))
    assert retries.name("b1", "run", "LEASED") == "run"
    assert retries.take("b1", "UNREACHABLE") == TRANSPORT_PAUSE_S


def test_a_program_that_is_no_orch_has_the_board_for_as_long_as_it_likes() -> None:
    retries = Retries(1)

    tries = [retries.take("b1", "LEASED") for _ in range(3)]

    assert tries == [STATE_PAUSE_S, STATE_PAUSE_S, None]
