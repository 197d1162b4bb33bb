from __future__ import annotations

import pytest

from orchestrator.fleet.retries import STATE_PAUSE_S, TRANSPORT_PAUSE_S, Retries


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
    "code", ["", "MODEL_REJECTED", "REFUSED", "HOST_KEY", "GOLDEN_MISMATCH", "TIMEOUT", "LOGIN"]
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
