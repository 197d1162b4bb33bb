"""The agent on boards with a trace: each trace gets the outcome that it must get."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from containers.board_sim.replaying import Script
from containers.board_sim.traces import ERROR, Kind, draw
from orchestrator.agent_bundle import bundle_agent
from orchestrator.replies import parse_measurement
from orchestrator.verdicts import judge
from tests.unit.board_agent.board import Board
from tests.unit.board_sim.traced import full_board, light_board

MS = 1_000_000
BENCHMARK = {
    "model": "model.axmodel",
    "warmup": None,
    "iterations": 100,
    "blocks": 5,
    "deadline_s": 60,
}


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agent") / "agent.pyz"
    path.write_bytes(bundle_agent())
    return path


def _measure(board: Board, **changes: object) -> dict[str, Any]:
    return board.result("benchmark", run_id="x", **(BENCHMARK | changes))


@pytest.mark.parametrize(
    ("kind", "seed", "verdict"),
    [
        pytest.param("clean", 1, "VALID", marks=pytest.mark.slow),
        pytest.param("transient-init", 1, "VALID", marks=pytest.mark.slow),
        ("thermal", 1, "THROTTLED"),
        pytest.param("tenant", 1, "CONTENDED", marks=pytest.mark.slow),
        pytest.param("noisy", 1, "NOISY", marks=pytest.mark.slow),
        pytest.param("dvfs", 1, "THROTTLED", marks=pytest.mark.slow),
        pytest.param("slow-first", 1, "VALID", marks=pytest.mark.slow),
        pytest.param("drift", 1, "VALID", marks=pytest.mark.slow),
        pytest.param("cmm-leak", 1, "VALID", marks=pytest.mark.slow),
    ],
)
def test_a_trace_gets_its_verdict_through_the_agent(
    tmp_path: Path, agent: Path, kind: Kind, seed: int, verdict: str
) -> None:
    board = light_board(tmp_path, agent, Script(kind, seed))
    result = _measure(board)
    assert result["runtime"]["trace"] == f"{kind} seed {seed}"
    judged = judge(parse_measurement("traced", result))
    assert judged.verdict == verdict, judged


@pytest.mark.parametrize(
    "kind",
    [
        "kill",
        *(
            pytest.param(kind, marks=pytest.mark.slow)
            for kind in ("hang", "truncated", "wrong-vnpu")
        ),
    ],
)
def test_a_trace_without_a_measurement_gets_its_typed_error(
    tmp_path: Path, agent: Path, kind: Kind
) -> None:
    board = light_board(tmp_path, agent, Script(kind))
    deadline_s = 1 if kind == "hang" else 60
    error = board.error("benchmark", run_id="x", **(BENCHMARK | {"deadline_s": deadline_s}))
    assert error["code"] == ERROR[kind]
    if kind == "kill":
        assert "SIGKILL" in error["message"]


def test_outputs_that_are_no_numbers_are_a_failed_run(tmp_path: Path, agent: Path) -> None:
    board = light_board(tmp_path, agent, Script("nan"))
    image = board.send(bytes(18))
    error = board.error("benchmark", run_id="x", input=image, **BENCHMARK)
    assert error["code"] == "RUN_FAILED"
    assert "output output: 6 of 6 values are NaN" in error["message"]


@pytest.mark.slow
def test_answers_that_are_no_numbers_are_a_failed_run(tmp_path: Path, agent: Path) -> None:
    board = light_board(tmp_path, agent, Script("nan"))
    inputs = [board.send(bytes(18))] * 60
    fields = {"model": "model.axmodel", "deadline_s": 60, "inputs": inputs}
    assert board.error("infer", run_id="y", **fields)["code"] == "RUN_FAILED"


@pytest.mark.slow
def test_the_agents_times_are_those_of_the_trace(tmp_path: Path, agent: Path) -> None:
    result = _measure(light_board(tmp_path, agent, Script("clean", 5, base_latency_ms=20)))
    samples = sorted(result["samples_ns"])
    jitter = draw("clean", 5).jitter
    assert samples[50] == pytest.approx(20 * MS, rel=jitter)
    assert result["first_ns"] == pytest.approx(41 * MS, rel=0.05)
    assert result["readings"][-1]["at_ns"] > sum(samples)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clean", "cmm-leak"])
def test_memory_that_does_not_come_back_is_told(tmp_path: Path, agent: Path, kind: Kind) -> None:
    result = _measure(light_board(tmp_path, agent, Script(kind)))
    calls = 1 + len(result["warmup_ns"]) + len(result["samples_ns"])
    assert result["left_cmm_bytes"] == calls * draw(kind, 0).leak_kb * 1024


@pytest.mark.slow
def test_the_look_alike_runs_a_model_in_the_time_of_its_trace(
    tmp_path: Path, agent: Path, write_axmodel: Callable[..., Path]
) -> None:
    board = full_board(tmp_path / "b", agent, Script("thermal", 1))
    _deploy(board, write_axmodel())
    result = _measure(board)
    assert result["runtime"]["trace"] == "thermal seed 1"
    assert set(result["parts_ns"]) == {"pre", "copy_in", "npu", "copy_out", "post"}
    npu, whole = sum(result["parts_ns"]["npu"]), sum(result["samples_ns"])
    assert 0.9 < npu / whole < 0.97
    assert judge(parse_measurement("traced", result)).verdict == "THROTTLED"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["truncated", "wrong-vnpu", "kill", "hang"])
def test_the_look_alike_fails_as_its_trace_says(
    tmp_path: Path, agent: Path, write_axmodel: Callable[..., Path], kind: Kind
) -> None:
    board = full_board(tmp_path / "b", agent, Script(kind))
    _deploy(board, write_axmodel(npu_mode=2))
    deadline_s = 10 if kind == "hang" else 60
    error = board.error("benchmark", run_id="x", **(BENCHMARK | {"deadline_s": deadline_s}))
    assert error["code"] == ERROR[kind]


@pytest.mark.slow
def test_a_board_without_a_trace_has_the_time_of_this_machine(
    tmp_path: Path, agent: Path, write_axmodel: Callable[..., Path]
) -> None:
    board = full_board(tmp_path / "b", agent, None)
    _deploy(board, write_axmodel())
    result = _measure(board, iterations=5)
    assert "trace" not in result["runtime"]
    assert set(result["parts_ns"]) == {"pre", "copy_in", "npu", "copy_out", "post"}


def _deploy(board: Board, model: Path) -> None:
    inputs = [{"name": "x", "dtype": "uint8", "shape": [1, 2, 3]}]
    sidecar = json.dumps({"version": 1, "inputs": inputs, "simulated": True})
    manifest = board.manifest(model__axmodel=model.read_bytes(), model__json=sidecar.encode())
    board.result("activate", release_id="r1", manifest=manifest, unpack=[])
