"""Several processes on one NPU: lined up, held apart from those that are alone, and ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from board_agent.beside import read_beside
from board_agent.contention import shared_time, within
from board_agent.errors import AgentError
from board_agent.jobs import Job
from tests.unit.board_agent.board import Board

CONTEND = {"model": "model.axmodel", "warmup": 2, "iterations": 5, "deadline_s": 60}


@pytest.fixture(autouse=True)
def _deployed(board: Board) -> None:
    board.deploy()


def test_each_process_is_timed_alone_and_with_the_others(board: Board) -> None:
    result = board.result("contend", run_id="x", others=[None, None], **CONTEND)

    assert board.noted("loads") == 3
    assert len(result["processes"]) == 3
    for one in result["processes"]:
        assert len(one["alone_ns"]) == 5
        assert all(time > 0 for time in one["alone_ns"] + one["together_ns"])
    assert 0 <= result["overlap"] <= 1
    assert result["before"]["npu_clock_mhz"] == 800
    assert result["runtime"]["engine_version"] == "2.10.1s"
    assert "Exception ignored" not in (board.work / "results/x.log").read_text()


@pytest.mark.slow
def test_another_release_may_be_the_company(board: Board) -> None:
    board.deploy("r2", kind="stage", outputs=[])

    result = board.result("contend", run_id="x", others=["r2"], **CONTEND)

    assert [one["release_id"] for one in result["processes"]] == [None, "r2"]


def test_a_release_that_is_not_there_is_no_company(board: Board) -> None:
    assert board.error("contend", run_id="x", others=["r9"], **CONTEND)["code"] == "NO_RELEASE"


@pytest.mark.parametrize("others", [[], [None] * 8, "r1", ["../x"], None])
def test_company_that_is_none_is_refused(others: object) -> None:
    with pytest.raises(AgentError, match="others") as raised:
        read_beside({"kind": "contend", "others": others})

    assert raised.value.code == "BAD_REQUEST"


def test_a_model_that_one_of_them_cannot_load_is_told_with_its_number(board: Board) -> None:
    board.script(start=["RuntimeError", "Failed to allocate memory for input."])

    error = board.error("contend", run_id="x", others=[None], **CONTEND)

    assert error["code"] == "CMM_FULL"
    assert "process " in error["message"]


@pytest.mark.slow
def test_a_process_that_dies_ends_all_of_them(board: Board) -> None:
    board.script(at_run="kill")

    error = board.error("contend", run_id="x", others=[None], **CONTEND)

    assert error["code"] == "RUN_FAILED"
    assert "died without a word" in error["message"]


def test_what_the_others_run_is_kept_from_the_garbage() -> None:
    others = [{"release_id": "r2", "model_path": "/b/cafe", "sidecar": {}}]
    job = Job("contend", "x", "m", "/b/f00d", {}, ["/b/beef"], 1, 2, None, 1, (), others)

    assert job.blobs() == ("f00d", "beef", "cafe")


@pytest.mark.slow
def test_the_deadline_ends_every_process(
    board: Board, until: Callable[[Callable[[], object]], None]
) -> None:
    board.script(at_run="hang")
    asked: dict[str, Any] = {**CONTEND, "deadline_s": 2}

    error = board.error("contend", run_id="x", others=[None, None], **asked)

    assert error["code"] == "TIMEOUT"
    until(lambda: not _of_the_run(board))


def _of_the_run(board: Board) -> list[str]:
    """The processes that have this board's script in their environment."""
    mark, found = str(board.notes).encode(), []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if mark in (folder / "environ").read_bytes():
                    found.append(folder.name)
            except OSError:
                continue
    return found


def spans(*pairs: tuple[int, int]) -> dict[str, list[int]]:
    return {"starts_ns": [a for a, _ in pairs], "ends_ns": [b for _, b in pairs]}


def test_only_the_time_in_which_all_ran_counts() -> None:
    early = spans((0, 10), (10, 20), (20, 30), (30, 40))
    late = spans((15, 25), (25, 35), (35, 45))

    since, until_ns, overlap = shared_time([early, late], warmup=1)

    assert (since, until_ns) == (25, 40)
    assert overlap == pytest.approx(15 / 35)
    assert within(early, since, until_ns) == [10]
    assert within(late, since, until_ns) == [10]


def test_processes_that_missed_each_other_share_nothing() -> None:
    first, second = spans((0, 10), (10, 20)), spans((50, 60), (60, 70))

    since, until_ns, overlap = shared_time([first, second], warmup=1)

    assert overlap == 0
    assert within(first, since, until_ns) == within(second, since, until_ns) == []
