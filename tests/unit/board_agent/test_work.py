from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from board_agent import builds
from tests.unit.board_agent.board import Board

Measured = tuple[Board, dict[str, Any]]
Decode = Callable[[dict[str, Any]], Any]

IMAGE = bytes(range(18))
BENCHMARK = {"model": "model.axmodel", "warmup": 2, "iterations": 3, "deadline_s": 60}
SENSORS = {
    "temperature_c": 49.263,
    "npu_clock_mhz": 800,
    "npu_load_percent": 0.0,
    "cmm_used_bytes": 1655104 * 1024,
    "cmm_free_bytes": 3063488 * 1024,
    "cmm_holders": {},
    "cpu_governor": "performance",
    "cpu_clock_mhz": None,
}


@pytest.fixture(autouse=True)
def _deployed(board: Board) -> None:
    board.deploy()


@pytest.fixture(scope="module")
def measured(new_board: Callable[[], Board]) -> Measured:
    """A board that has measured as run `x`, and the result."""
    board = new_board()
    board.deploy()
    return board, board.result("benchmark", run_id="x", **BENCHMARK)


def failed(board: Board, **script: object) -> dict[str, Any]:
    board.script(**script)
    return board.error("benchmark", run_id="x", **BENCHMARK)


def test_a_benchmark_gives_raw_times_and_what_the_runtime_said(measured: Measured) -> None:
    board, result = measured

    assert board.noted("runs") == 1 + 2 + 3
    assert (len(result["warmup_ns"]), len(result["samples_ns"])) == (2, 3)
    times = [result["load_ns"], result["first_ns"], *result["warmup_ns"], *result["samples_ns"]]
    assert all(isinstance(time, int) and time > 0 for time in times)
    assert result["before"] == SENSORS | {"at_ns": result["before"]["at_ns"]}
    assert result["after"] == SENSORS | {"at_ns": result["after"]["at_ns"]}
    assert result["runtime"] == {
        "available_providers": "['AxEngineExecutionProvider']",
        "provider": "AxEngineExecutionProvider",
        "axengine_build": None,
        "avoided": list(builds.AVOIDED),
        "chip": "MC50",
        "vnpu": "DISABLED",
        "engine_version": "2.10.1s",
        "model_type": "0 (single core)",
        "compiler_version": "1.2-patch2 7e6b2b5f",
        "providers": ["AxEngineExecutionProvider"],
        "inputs": [{"name": "input", "dtype": "uint8", "shape": [1, 2, 3, 3]}],
        "outputs": [
            {"name": "argmax_output", "dtype": "int32", "shape": [1, 1, 2, 3]},
            {"name": "b", "dtype": "float32", "shape": [2]},
        ],
    }


def test_what_the_runtime_prints_goes_to_the_log(measured: Measured) -> None:
    log = (measured[0].work / "results/x.log").read_text()
    assert "a C library says" in log


def test_the_session_is_closed_before_the_process_ends(measured: Measured, board: Board) -> None:
    failed(board, run=["RuntimeError", "Failed to run model."])

    for one in (measured[0], board):
        assert "Exception ignored" not in (one.work / "results/x.log").read_text()


def test_the_vendors_own_package_folder_is_used(board: Board) -> None:
    folder = board.sysroot / "opt/site-packages/local/lib/python3.10/dist-packages"
    folder.mkdir(parents=True)
    (board.site / "axengine").rename(folder / "axengine")

    assert board.result("benchmark", run_id="x", **BENCHMARK)["samples_ns"]


def test_a_model_of_several_inputs_is_measured_with_zeros(board: Board) -> None:
    two = [["a", "uint8", [2]], ["b", "float32", [3]]]
    board.deploy("r2", inputs=[{"name": n, "dtype": d, "shape": s} for n, d, s in two])
    board.script(inputs=two)

    assert board.result("benchmark", run_id="x", **BENCHMARK)["samples_ns"]


def test_a_benchmark_may_be_given_an_input(board: Board) -> None:
    board.result("benchmark", run_id="x", input=board.send(IMAGE), **BENCHMARK)

    assert not list(board.incoming.iterdir())


def test_an_inference_gives_every_output_by_name_in_the_order_of_the_inputs(
    board: Board, decode: Decode
) -> None:
    one, two = board.send(IMAGE), board.send(bytes(18))

    result = board.result(
        "infer", run_id="x", model="model.axmodel", deadline_s=60, inputs=[one, two, one]
    )

    total = sum(IMAGE)
    maps = [decode(output["argmax_output"]) for output in result["outputs"]]
    assert [image.flat[0] for image in maps] == [total, 0, total]
    assert (maps[0].dtype, maps[0].shape) == (np.int32, (1, 1, 2, 3))
    assert decode(result["outputs"][0]["b"]).tolist() == [total, total]
    assert result["runtime"]["engine_version"] == "2.10.1s"


def test_an_input_that_was_damaged_on_its_way_is_refused(board: Board) -> None:
    digest = board.send(IMAGE)
    (board.incoming / f"{digest}.part").write_bytes(b"x")

    for _ in range(2):  # first it is damaged, then it is not there
        error = board.error(
            "infer", run_id="x", model="model.axmodel", deadline_s=60, inputs=[digest]
        )
        assert error["code"] == "HASH_MISMATCH"


def test_an_input_of_another_size_is_refused_with_both_sizes(board: Board) -> None:
    error = board.error(
        "infer", run_id="x", model="model.axmodel", deadline_s=60, inputs=[board.send(b"short")]
    )

    assert error["code"] == "INPUT_MISMATCH"
    assert "18 bytes" in error["message"]
    assert "5 bytes" in error["message"]


def test_one_input_does_not_feed_a_model_of_two(board: Board) -> None:
    two = [["a", "uint8", [18]], ["b", "uint8", [18]]]
    board.deploy("r2", inputs=[{"name": n, "dtype": d, "shape": s} for n, d, s in two])
    board.script(inputs=two)

    error = board.error("benchmark", run_id="x", input=board.send(IMAGE), **BENCHMARK)

    assert error["code"] == "INPUT_MISMATCH"


def test_nothing_runs_without_a_release(board: Board) -> None:
    (board.work / "current").unlink()

    assert board.error("benchmark", run_id="x", **BENCHMARK)["code"] == "NO_RELEASE"


def test_a_model_whose_blob_is_gone_is_not_started(board: Board) -> None:
    for blob in (board.work / "blobs").iterdir():
        blob.unlink()

    assert board.error("benchmark", run_id="x", **BENCHMARK)["code"] == "HASH_MISMATCH"


def test_a_genuine_model_does_not_run_on_a_simulated_board(board: Board) -> None:
    board.deploy("r2", simulated=False)

    assert failed(board)["code"] == "MODEL_REJECTED"
    assert board.noted("starts") == 0


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ({"import": ["ImportError", "No providers found. Please make sure"]}, "NO_RUNTIME"),
        ({"old_api": True}, "NO_RUNTIME"),
        ({"start": ["RuntimeError", "Failed to allocate memory for input."]}, "CMM_FULL"),
        ({"start": ["ValueError", "X is not allowed when vnpu is inited as Y."]}, "VNPU_CONFLICT"),
        ({"inputs": [["input", "float32", [1, 2, 3, 3]]]}, "INPUT_MISMATCH"),
        ({"inputs": [["input", "uint8", [1, 3, 2, 3]]]}, "INPUT_MISMATCH"),
        ({"inputs": [["pixels", "uint8", [1, 2, 3, 3]]]}, "INPUT_MISMATCH"),
        ({"run": ["RuntimeError", "Failed to run model."]}, "RUN_FAILED"),
    ],
)
def test_a_failure_of_the_runtime_has_a_code(
    board: Board, script: dict[str, Any], code: str
) -> None:
    assert failed(board, **script)["code"] == code


def test_a_board_without_axengine_has_no_runtime(board: Board) -> None:
    (board.site / "axengine/__init__.py").unlink()
    (board.site / "axengine").rmdir()

    error = failed(board)

    assert error["code"] == "NO_RUNTIME"
    assert "No module named 'axengine'" in error["message"]


def test_outputs_that_are_missing_are_no_result(board: Board) -> None:
    board.script(outputs_given=1)

    error = board.error(
        "infer", run_id="x", model="model.axmodel", deadline_s=60, inputs=[board.send(IMAGE)]
    )

    assert error["code"] == "RUN_FAILED"


def test_a_start_that_fails_once_is_tried_again(board: Board) -> None:
    board.script(failing_starts=1)

    board.result("benchmark", run_id="x", **BENCHMARK)

    assert board.noted("starts") == 2


def test_a_start_that_fails_twice_is_a_failure(board: Board) -> None:
    assert failed(board, failing_starts=2)["code"] == "INIT_FAILED"
    assert board.noted("starts") == 2


def test_a_broken_library_is_noted_and_does_not_stop_the_rest(board: Board) -> None:
    (board.sysroot / "soc/lib").mkdir(parents=True)
    (board.sysroot / "soc/lib/libax_sys.so").write_text("no library")

    board.result("benchmark", run_id="x", **BENCHMARK)

    assert "libax_sys.so: not loaded" in (board.work / "results/x.log").read_text()


def test_the_answer_is_on_the_board_before_it_is_sent(measured: Measured) -> None:
    board, result = measured

    stored = json.loads((board.work / "results/x.json").read_text())
    assert stored["reply"]["result"] == result
