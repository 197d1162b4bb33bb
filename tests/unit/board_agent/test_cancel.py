from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from board_agent.results import Process, process

if TYPE_CHECKING:
    from tests.unit.board_agent.board import Board

pytestmark = pytest.mark.slow

Until = Callable[[Callable[[], object]], None]
BENCHMARK: dict[str, Any] = {
    "run_id": "x",
    "model": "model.axmodel",
    "warmup": 0,
    "iterations": 1,
    "deadline_s": 60,
}
ME, OTHER = {"owner": "me", "ttl_s": 60}, {"owner": "other", "ttl_s": 60}


@pytest.fixture
def token(board: Board) -> int:
    board.write_fact("proc/uptime", "10 1\n")
    board.deploy()
    return acquire(board, ME)


def acquire(board: Board, who: dict[str, object]) -> int:
    token: int = board.result("lease", op="acquire", **who)["lease"]["token"]
    return token


def running(board: Board) -> Process:
    """The process that holds the session, below the supervisor of run x."""
    supervisor = json.loads((board.work / "results/x.pid").read_text())["pid"]
    found = process(supervisor)
    assert found is not None
    return found


def test_a_cancelled_run_is_ended_and_its_waiter_hears_of_it(
    board: Board, token: int, until: Until
) -> None:
    board.script(at_run="wait")
    waiter = board.start("benchmark", token=token, **BENCHMARK)
    until(lambda: board.noted("runs"))
    worker = running(board)

    assert board.result("cancel", token=token) == {"cancelled": "x"}

    assert not worker.alive()
    error = board.finish(waiter)["error"]
    assert (error["code"], error["details"]) == ("RUN_FAILED", {"cancelled": True})
    assert board.result("cancel", token=token) == {"cancelled": None}
    board.script()
    assert board.result("benchmark", token=token, **(BENCHMARK | {"run_id": "y"}))


def test_another_run_is_not_cancelled(board: Board, token: int, until: Until) -> None:
    board.script(at_run="wait")
    waiter = board.start("benchmark", token=token, **BENCHMARK)
    until(lambda: board.noted("runs"))

    assert board.result("cancel", token=token, run_id="y") == {"cancelled": None}

    (board.notes / "gate").touch()
    assert board.finish(waiter)["ok"]


def test_who_takes_the_board_over_ends_the_work_of_who_is_gone(
    board: Board, token: int, until: Until
) -> None:
    board.script(at_run="wait")
    waiter = board.start("benchmark", token=token, **BENCHMARK)
    until(lambda: board.noted("runs"))
    worker = running(board)
    board.write_fact("proc/uptime", "100 1\n")

    follower = acquire(board, OTHER)

    assert not worker.alive()
    assert board.finish(waiter)["error"]["code"] == "STALE_TOKEN"
    assert not (board.work / "results/x.json").exists()
    board.script()
    assert board.result("benchmark", token=follower, **BENCHMARK)


@pytest.mark.parametrize("op", ["release", "break"])
def test_a_board_that_is_given_back_runs_nothing(
    board: Board, token: int, until: Until, op: str
) -> None:
    board.script(at_run="wait")
    waiter = board.start("benchmark", token=token, **BENCHMARK)
    until(lambda: board.noted("runs"))
    worker = running(board)

    board.result("lease", op=op, token=token)

    assert not worker.alive()
    assert board.finish(waiter)["error"]["code"] == "STALE_TOKEN"
    board.script()
    assert board.result("benchmark", token=acquire(board, ME), **BENCHMARK)


def test_who_comes_back_to_its_own_lease_joins_its_own_work(
    board: Board, token: int, until: Until
) -> None:
    board.script(at_run="wait")
    dropped = board.start("benchmark", token=token, **BENCHMARK)
    until(lambda: board.noted("runs"))
    board.hang_up(dropped)

    joined = board.start("benchmark", token=acquire(board, ME), **BENCHMARK)
    (board.notes / "gate").touch()

    assert board.finish(joined)["ok"]
    assert board.noted("loads") == 1
