from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from board_agent import detach
from board_agent.results import Process, Registered, Results, now_ns, process

if TYPE_CHECKING:
    from tests.unit.board_agent.board import Board

Until = Callable[[Callable[[], object]], None]

BENCHMARK: dict[str, Any] = {
    "run_id": "x",
    "model": "model.axmodel",
    "warmup": 0,
    "iterations": 1,
    "deadline_s": 60,
}


pytestmark = pytest.mark.slow

#: Ends the agent when it has registered its worker and not yet told it what to do.
LOST_ORDER = """
import os, pathlib
replace = pathlib.Path.replace
def crash(self, target):
    replace(self, target)
    if target.suffix == ".pid":
        os._exit(9)
pathlib.Path.replace = crash
"""


@pytest.fixture(autouse=True)
def _deployed(board: Board) -> None:
    board.deploy()


def test_the_same_request_again_gives_the_stored_result(board: Board) -> None:
    first = board.result("benchmark", **BENCHMARK)

    again = board.result("benchmark", **(BENCHMARK | {"deadline_s": 5}))

    assert again == first
    assert board.noted("loads") == 1
    assert sorted(path.name for path in (board.work / "results").iterdir()) == [
        "lock",
        "x.json",
        "x.log",
    ]


def test_a_stored_failure_is_given_again_too(board: Board) -> None:
    board.script(run=["RuntimeError", "Failed to run model."])
    first = board.error("benchmark", **BENCHMARK)
    board.script()

    assert board.error("benchmark", **BENCHMARK) == first
    assert board.result("benchmark", **(BENCHMARK | {"run_id": "y"}))


def test_another_request_under_the_same_run_id_is_new_work(board: Board) -> None:
    board.result("benchmark", **BENCHMARK)

    again = board.result("benchmark", **(BENCHMARK | {"iterations": 2}))

    assert len(again["samples_ns"]) == 2


def test_a_killed_connection_loses_nothing_and_the_next_one_joins(
    board: Board, until: Until
) -> None:
    board.script(at_run="wait")
    dropped = board.start("benchmark", **BENCHMARK)
    until(lambda: board.noted("runs"))
    board.hang_up(dropped)
    joined = [board.start("benchmark", **BENCHMARK) for _ in range(2)]

    (board.notes / "gate").touch()

    first, second = (board.finish(front) for front in joined)
    assert first["ok"]
    assert first == second
    assert board.noted("loads") == 1


def test_a_result_is_written_with_nobody_waiting(board: Board, until: Until) -> None:
    board.script(at_run="wait")
    dropped = board.start("benchmark", **BENCHMARK)
    until(lambda: board.noted("runs"))
    board.hang_up(dropped)

    (board.notes / "gate").touch()
    until((board.work / "results/x.json").exists)

    assert board.result("benchmark", **BENCHMARK)["samples_ns"]
    assert board.noted("loads") == 1


def test_a_connection_lost_before_the_work_was_ordered_does_not_fail_it(board: Board) -> None:
    (board.site / "sitecustomize.py").write_text(LOST_ORDER)
    board.start("benchmark", **BENCHMARK).communicate(timeout=60)
    (board.site / "sitecustomize.py").unlink()

    assert board.result("benchmark", **BENCHMARK)
    assert board.noted("loads") == 1


def test_a_worker_that_was_never_told_what_to_do_is_no_failure(tmp_path: Path) -> None:
    gone = Registered("x", "0" * 64, Process(os.getpid(), 0, ""), now_ns())

    assert detach._wait(gone, Results(tmp_path / "results")) is None
    assert not (tmp_path / "results").exists()


def test_another_run_is_busy_and_named(board: Board, until: Until) -> None:
    board.script(at_run="wait")
    front = board.start("benchmark", **BENCHMARK)
    until(lambda: board.noted("runs"))

    error = board.error("benchmark", **(BENCHMARK | {"run_id": "y"}))

    assert error["code"] == "BUSY"
    assert error["details"]["run_id"] == "x"
    (board.notes / "gate").touch()
    assert board.finish(front)["ok"]
    assert board.result("benchmark", **(BENCHMARK | {"run_id": "y"}))


def test_many_that_start_at_once_never_run_at_once(board: Board, until: Until) -> None:
    board.script(at_run="wait")
    fronts = [board.start("benchmark", **(BENCHMARK | {"run_id": f"r{n}"})) for n in range(4)]
    until(lambda: sum(front.poll() is not None for front in fronts) == 3)
    (board.notes / "gate").touch()

    replies = [board.finish(front) for front in fronts]

    assert sorted(reply["ok"] for reply in replies) == [False, False, False, True]
    assert board.noted("loads") == 1


def test_work_is_killed_at_its_deadline(board: Board) -> None:
    board.script(at_run="hang")

    error = board.error("benchmark", **(BENCHMARK | {"deadline_s": 0.5}))

    assert error["code"] == "TIMEOUT"
    board.script()
    assert board.result("benchmark", **(BENCHMARK | {"run_id": "y"}))


def test_the_deadline_holds_with_nobody_waiting(board: Board, until: Until) -> None:
    board.script(at_run="hang")
    result, request = board.work / "results/x.json", BENCHMARK | {"deadline_s": 2}
    dropped = board.start("benchmark", **request)
    until(lambda: board.noted("runs") or result.exists())
    board.hang_up(dropped)

    until(result.exists)

    assert board.error("benchmark", **request)["code"] == "TIMEOUT"
    assert board.noted("starts") <= 1


@pytest.mark.parametrize(
    ("death", "details"),
    [
        ("kill", {"returncode": None, "signal": 9}),
        ("exit", {"returncode": 7, "signal": None}),
    ],
)
def test_a_worker_that_dies_is_reported_with_its_last_words(
    board: Board, death: str, details: dict[str, Any]
) -> None:
    board.script(at_run=death)

    error = board.error("benchmark", **BENCHMARK)

    assert error["code"] == "RUN_FAILED"
    assert {key: error["details"][key] for key in details} == details
    assert "Compiler version" in error["details"]["log_tail"]


def test_a_killed_supervisor_takes_its_worker_along_and_is_reported(
    board: Board, until: Until
) -> None:
    board.script(at_run="wait")
    front = board.start("benchmark", **BENCHMARK)
    until(lambda: board.noted("runs"))
    supervisor = json.loads((board.work / "results/x.pid").read_text())["pid"]
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    worker = process(int(children[0]))
    assert worker is not None

    os.kill(supervisor, 9)

    reply = board.finish(front)
    until(lambda: not worker.alive())
    assert reply["error"]["code"] == "RUN_FAILED"
    assert board.error("benchmark", **BENCHMARK) == reply["error"]
