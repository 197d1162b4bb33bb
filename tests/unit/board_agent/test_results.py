from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from board_agent.results import KEPT_FILES, Process, Registered, Results, now_ns, process

if TYPE_CHECKING:
    from tests.unit.board_agent.board import Board

BENCHMARK: dict[str, Any] = {
    "run_id": "x",
    "model": "model.axmodel",
    "warmup": 0,
    "iterations": 1,
    "deadline_s": 60,
}


@pytest.fixture(autouse=True)
def _deployed(board: Board) -> None:
    board.deploy()


def register(board: Board, run_id: str, owner: Process) -> None:
    (board.work / "results").mkdir()
    Results(board.work / "results").register(Registered(run_id, "0" * 64, owner, now_ns()))


def myself() -> Process:
    found = process(os.getpid())
    assert found is not None
    return found


def test_a_live_process_of_another_run_makes_the_board_busy(board: Board) -> None:
    register(board, "other", myself())

    error = board.error("benchmark", **BENCHMARK)

    assert (error["code"], error["details"]) == ("BUSY", {"run_id": "other", "pid": os.getpid()})


@pytest.mark.parametrize("change", [{"start_ticks": 1}, {"boot_id": "another boot"}])
def test_a_recycled_pid_is_not_mistaken_for_a_worker(board: Board, change: dict[str, Any]) -> None:
    register(board, "other", myself()._replace(**change))

    assert board.result("benchmark", **BENCHMARK)


def test_a_torn_pid_file_does_not_hold_the_board(board: Board) -> None:
    (board.work / "results").mkdir()
    (board.work / "results/other.pid").write_text('{"pid": 1}')
    (board.work / "results/more.pid").write_text("{")

    assert board.result("benchmark", **BENCHMARK)


def test_results_are_bounded_and_the_newest_are_kept(board: Board) -> None:
    folder = board.work / "results"
    folder.mkdir()
    for number in range(KEPT_FILES + 10):
        path = folder / f"old-{number}.json"
        path.write_text("{}")
        os.utime(path, ns=(number, number))

    board.result("benchmark", **BENCHMARK)

    kept = {path.name for path in folder.glob("old-*")}
    assert kept == {f"old-{number}.json" for number in range(10, KEPT_FILES + 10)}


def test_a_zombie_does_not_live() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)

    assert process(child) is None

    os.waitpid(child, 0)
