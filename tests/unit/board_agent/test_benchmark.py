from __future__ import annotations

import json
from statistics import median

import pytest

from tests.unit.board_agent.board import Board

BENCHMARK = {"model": "model.axmodel", "warmup": 2, "iterations": 3, "deadline_s": 60}


@pytest.fixture(autouse=True)
def _deployed(board: Board) -> None:
    board.deploy()


@pytest.mark.parametrize("truth_ns", [1_000_000, 5_300_000, 48_150_000])
def test_the_median_is_that_of_the_runtime(board: Board, truth_ns: int) -> None:
    slow_start = [22 * truth_ns, 3 * truth_ns, 2 * truth_ns]
    spread = [truth_ns + step * truth_ns // 1000 for step in (-2, 1, 0, 2, -1)]
    board.script(latencies_ns=slow_start + 80 * spread, copy_ns=4_000)
    sizes = {"warmup": None, "iterations": 50, "blocks": 5}

    result = board.result("benchmark", run_id="x", **BENCHMARK | sizes)

    assert result["first_ns"] == 22 * truth_ns + 8_000
    assert result["warmup_ended"] == "steady"
    assert abs(median(result["samples_ns"]) - truth_ns) <= truth_ns // 100 + 20_000
    assert median(result["parts_ns"]["npu"]) == truth_ns
    assert set(result["parts_ns"]["copy_in"]) == set(result["parts_ns"]["copy_out"]) == {4_000}
    assert result["overhead_ns"] == 0  # this clock stands still while the agent works


def test_the_sensors_are_read_between_blocks_and_nowhere_else(board: Board) -> None:
    board.script(latencies_ns=[1_000_000])
    sizes = {"warmup": 0, "iterations": 7, "blocks": 3}

    result = board.result("benchmark", run_id="x", **BENCHMARK | sizes)

    assert result["block_sizes"] == [3, 2, 2]
    times = [reading.pop("at_ns") for reading in result["readings"]]
    assert [time // 1_000_000 for time in times] == [1, 4, 6, 8]
    assert {reading["temperature_c"] for reading in result["readings"]} == {49.263}
    assert result["readings"][-1].keys() | {"at_ns"} == result["after"].keys()


def test_memory_that_the_process_did_not_give_back_is_told(board: Board) -> None:
    board.script(leak_kb=64)

    assert board.result("benchmark", run_id="x", **BENCHMARK)["left_cmm_bytes"] == 64 * 1024
    stored = json.loads((board.work / "results/x.json").read_text())
    assert stored["reply"]["result"]["left_cmm_bytes"] == 64 * 1024


def test_a_steady_state_may_be_asked_for_by_its_length(board: Board) -> None:
    board.script(latencies_ns=[10_000_000])
    sizes = {"warmup": 0, "iterations": 4, "blocks": 2, "min_duration_s": 1}

    assert board.result("benchmark", run_id="x", **BENCHMARK | sizes)["block_sizes"] == [50, 50]


def test_a_genuine_board_measures_by_its_own_clock(board: Board) -> None:
    (board.sysroot / "etc/orch-simulated-board").unlink()
    board.deploy("r2", simulated=False)
    board.script(latencies_ns=[3_600_000_000_000])

    result = board.result("benchmark", run_id="x", **BENCHMARK)

    assert max(result["samples_ns"]) < 3_600_000_000_000
