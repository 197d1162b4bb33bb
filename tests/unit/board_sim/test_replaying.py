"""The files of a board with a trace follow the simulated time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from board_agent import places
from board_agent.sensors import read_sensors
from containers.board_sim.profiles import PROFILES, identity_of
from containers.board_sim.replaying import (
    TRACE_FILE,
    Script,
    read_script,
    scripted_board,
    write_script,
)
from containers.board_sim.root import make_root
from containers.board_sim.scripted import ScriptedAxengine
from containers.board_sim.traces import FULL_CLOCK_MHZ

PROVIDER = "AxEngineExecutionProvider"


def _board(root: Path, script: Script | None) -> places.Board:
    make_root(root, PROFILES["m4n-debian12"], identity_of("sim-01"), script)
    return places.Board(str(root))


def _run(axengine: ScriptedAxengine, calls: int) -> None:
    session = axengine.InferenceSession("m.axmodel", providers=PROVIDER)
    for _ in range(calls):
        session.run(None, {})


def test_a_board_without_a_trace_has_none_of_it(tmp_path: Path) -> None:
    _board(tmp_path, Script("tenant"))
    board = _board(tmp_path, None)
    assert scripted_board(tmp_path) is None
    assert not list(tmp_path.glob("etc/*trace*"))
    assert read_sensors(board)["cpu_governor"] == "performance"
    with pytest.raises(ValueError, match="a board without a trace"):
        ScriptedAxengine(tmp_path)


def test_a_trace_written_by_hand_is_enough(tmp_path: Path) -> None:
    board = _board(tmp_path, None)
    (tmp_path / TRACE_FILE).write_text('{"kind": "dvfs", "seed": 3}')
    _run(ScriptedAxengine(tmp_path), 119)
    assert read_sensors(board)["npu_clock_mhz"] < FULL_CLOCK_MHZ


def test_the_sensors_of_a_board_that_heats_up_follow_its_calls(tmp_path: Path) -> None:
    board = _board(tmp_path, Script("thermal", seed=1))
    cool = read_sensors(board)
    axengine = ScriptedAxengine(tmp_path)
    _run(axengine, 120)
    hot = read_sensors(board)
    assert hot["temperature_c"] > cool["temperature_c"] + 5
    assert hot["npu_clock_mhz"] < cool["npu_clock_mhz"] == FULL_CLOCK_MHZ
    assert hot["cpu_clock_mhz"] == 1700
    assert hot["npu_load_percent"] > 90
    axengine.close()
    rested = read_sensors(board)
    assert rested["temperature_c"] == pytest.approx(cool["temperature_c"], abs=0.5)
    assert rested["npu_load_percent"] == 0


def test_a_tenant_is_named_in_the_memory_list(tmp_path: Path) -> None:
    board = _board(tmp_path, Script("tenant", seed=2))
    idle = read_sensors(board)
    axengine = ScriptedAxengine(tmp_path)
    _run(axengine, 120)
    crowded = read_sensors(board)
    foreign = crowded["cmm_holders"].keys() - idle["cmm_holders"].keys() - {"PyEngine"}
    assert len(foreign) == 1
    assert crowded["cmm_used_bytes"] == sum(crowded["cmm_holders"].values())


def test_memory_comes_back_when_the_process_ends_but_for_what_leaked(tmp_path: Path) -> None:
    for kind, leaks in (("clean", False), ("cmm-leak", True)):
        board = _board(tmp_path, Script(kind))  # type: ignore[arg-type] # both are kinds
        idle = read_sensors(board)["cmm_used_bytes"]
        axengine = ScriptedAxengine(tmp_path)
        _run(axengine, 20)
        assert read_sensors(board)["cmm_used_bytes"] >= idle + 8 * 1024 * 1024
        axengine.close()
        left = read_sensors(board)["cmm_used_bytes"] - idle
        assert (left > 0) == leaks
        again = ScriptedAxengine(tmp_path)
        _run(again, 1)
        again.close()
        assert (read_sensors(board)["cmm_used_bytes"] - idle > left) == leaks


def test_a_board_that_has_leaked_all_its_memory_loads_no_model(tmp_path: Path) -> None:
    board = _board(tmp_path, Script("cmm-leak", seed=3, base_latency_ms=1))
    axengine = ScriptedAxengine(tmp_path)
    axengine.simulated_sleep(1)
    scripted = scripted_board(tmp_path)
    assert scripted is not None
    scripted.replay.leaked_kb = read_sensors(board)["cmm_free_bytes"] // 1024
    scripted.close()
    with pytest.raises(RuntimeError, match=r"^Failed to load model\.$"):
        _run(ScriptedAxengine(tmp_path), 1)


def test_a_trace_for_one_process_leaves_the_next_one_a_good_board(tmp_path: Path) -> None:
    board = _board(tmp_path, Script("dvfs", seed=3, times=1))
    lowest = []
    for calls in (1, 120, 120):  # a smoke test does not count
        axengine = ScriptedAxengine(tmp_path)
        _run(axengine, calls)
        lowest.append(read_sensors(board)["npu_clock_mhz"])
        axengine.close()
    assert lowest[1] < FULL_CLOCK_MHZ
    assert lowest[2] == FULL_CLOCK_MHZ


def test_ten_minutes_of_calls_need_no_ten_minutes(tmp_path: Path) -> None:
    board = _board(tmp_path, Script("thermal", span_s=600))
    axengine = ScriptedAxengine(tmp_path)
    session = axengine.InferenceSession("m.axmodel", providers=PROVIDER)
    start, calls, early = axengine.simulated_clock_ns(), 0, 0.0
    while axengine.simulated_clock_ns() - start < 600e9:
        session.run(None, {})
        calls += 1
        if calls == 1000:
            early = read_sensors(board)["temperature_c"]
    assert 10_000 < calls < 31_000
    assert read_sensors(board)["temperature_c"] > early + 10


def test_outputs_are_no_numbers_from_the_bad_call_on(tmp_path: Path) -> None:
    _board(tmp_path, Script("nan", seed=1))
    session = ScriptedAxengine(tmp_path).InferenceSession("m.axmodel", providers=PROVIDER)
    spoilt = [bool(np.isnan(session.run(None, {})[0]).all()) for _ in range(60)]
    assert spoilt == sorted(spoilt)
    assert not spoilt[0]
    assert spoilt[-1]


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"seed": 1}',
        '{"kind": "sunny"}',
        '{"kind": "clean", "speed": 2}',
        '{"kind": "clean", "base_latency_ms": 0}',
        '{"kind": "clean", "times": -1}',
        "no json",
    ],
)
def test_a_trace_file_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"orch-simulated-trace|Expecting"):
        read_script(text)


def test_a_trace_file_holds_what_was_asked_for(tmp_path: Path) -> None:
    script = Script("noisy", 9, 4.5, 2.0, 3)
    _board(tmp_path, None)
    write_script(tmp_path, script)
    assert read_script((tmp_path / TRACE_FILE).read_text()) == script
    assert str(script) == "noisy seed 9"
