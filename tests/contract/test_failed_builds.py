"""Every way the stand-in can fail becomes an error of its own."""

from __future__ import annotations

import io
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

import containers.pulsar2_sim.cli
from containers.pulsar2_sim.faults import Fault
from orchestrator.backends.local_toolchain import LocalToolchain
from orchestrator.domain import Json, Target
from orchestrator.errors import CompileError, DeadlineError
from orchestrator.seams import Bench, Progress
from orchestrator.stages.compile import Order, compile_files

pytestmark = pytest.mark.slow

CALIBRATION = "input/calibration-0.tar"
CONFIG: dict[str, Json] = {
    "input": "input/model.onnx",
    "quant": {
        "input_configs": [
            {
                "tensor_name": "x",
                "calibration_dataset": CALIBRATION,
                "calibration_format": "Numpy",
                "calibration_size": 8,
            }
        ]
    },
}
CODES = {
    Fault.UNSUPPORTED_OP: "OP_UNSUPPORTED",
    Fault.OP_ATTRIBUTE: "OP_UNSUPPORTED",
    Fault.OP_GET_FAILED: "OP_UNSUPPORTED",
    Fault.REWRITE_DIFFERS: "GRAPH_REWRITE",
    Fault.FRONTEND: "FRONTEND",
    Fault.DYNAMIC_RESHAPE: "DYNAMIC_SHAPE",
    Fault.CONFIG_KEY: "CONFIG_KEY",
    Fault.QUANT_EXECUTE: "QUANT_OP",
    Fault.QUANT_OP: "QUANT_OP",
    Fault.QUANT_TOO_LARGE: "MODEL_TOO_LARGE",
    Fault.QUANT_DTYPE: "CALIBRATION",
    Fault.QUANT_SAMPLES: "CALIBRATION",
    Fault.QUANT_INDEX: "QUANT",
    Fault.TILE: "NPU_TILING",
    Fault.RC1: "NPU_TILING",
    Fault.OP_BUILD: "OP_UNSUPPORTED",
    Fault.RESIZE_TOO_LARGE: "NPU_LIMIT",
    Fault.OCM: "NPU_MEMORY",
    Fault.LICENCE: "LICENCE",
    Fault.OOM: "OUT_OF_MEMORY",
    Fault.ABORT: "DYNAMIC_SHAPE",
    Fault.STALE: "PYTHON",
    Fault.NO_FILE: "NO_AXMODEL",
    Fault.EMPTY_FILE: "EMPTY_AXMODEL",
    Fault.NO_LAST_LINE: "TRUNCATED",
    Fault.WRONG_TARGET: "WRONG_AXMODEL",
}


@pytest.fixture
def bench(tmp_path: Path, progress: Progress) -> Bench:
    """The stand-in on this host, a model, and eight samples of calibration."""
    noise = np.random.default_rng(2)
    weights = numpy_helper.from_array(noise.normal(size=(4, 3, 3, 3)).astype(np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], name="conv", pads=[1, 1, 1, 1])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 8, 8])],
        [weights],
    )
    opset = [helper.make_opsetid("", 13)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "model.onnx")
    with tarfile.open(tmp_path / "calibration.tar", "w") as tar:
        for index in range(8):
            buffer = io.BytesIO()
            np.save(buffer, noise.normal(size=(1, 3, 8, 8)).astype(np.float32))
            entry = tarfile.TarInfo(f"{index}.npy")
            entry.size = buffer.tell()
            buffer.seek(0)
            tar.addfile(entry, buffer)
    sources = Path(containers.pulsar2_sim.cli.__file__).parent
    command = [sys.executable, "-m", "containers.pulsar2_sim"]
    toolchain = LocalToolchain("stand-in", command, sources)
    (tmp_path / "work").mkdir()
    return Bench(
        toolchain, toolchain.identity(), progress, tmp_path / "work", tmp_path / "compile.log"
    )


def build(bench: Bench, timeout_s: float = 120) -> None:
    folder = bench.log.parent
    files = {CALIBRATION: folder / "calibration.tar"}
    order = Order("m", Target("AX650", "NPU3"), timeout_s)
    compile_files(order, folder / "model.onnx", CONFIG, files, bench)


@pytest.mark.parametrize("fault", CODES)
def test_a_failure_has_its_code_a_hint_and_its_log(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setenv("PULSAR2_SIM_FAULT", fault.value)

    with pytest.raises(CompileError) as caught:
        build(bench)

    assert caught.value.code == CODES[fault]
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith("m: ")
    assert caught.value.hint
    assert bench.log.stat().st_size > 0


def test_every_fault_is_tried_here() -> None:
    others = {Fault.NONE, Fault.HANG, Fault.SLOW, Fault.MISCOMPILE}

    assert set(Fault) - set(CODES) == others


def test_a_build_that_hangs_says_what_it_was_at(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSAR2_SIM_FAULT", "hang")

    with pytest.raises(DeadlineError, match="it was at tiling"):
        build(bench, timeout_s=8)


def test_a_slow_build_ends_well(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSAR2_SIM_FAULT", "slow")
    monkeypatch.setenv("PULSAR2_SIM_SLOW_S", "0.1")

    build(bench)
