"""What every toolchain that compiles promises: the image, and the stand-in on this host."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import containers.pulsar2_sim.cli
from orchestrator.backends.docker_toolchain import DockerToolchain
from orchestrator.backends.local_toolchain import LocalToolchain
from orchestrator.backends.package_toolchain import PackageTree
from orchestrator.domain import DOCUMENTED, LEVELS, Target
from orchestrator.pulsar2.header import SIMULATED_COMMIT, read_header
from orchestrator.seams import Toolchain

SHAPE = (1, 3, 16, 24)


IN_DOCKER = (
    pytest.param("image", marks=pytest.mark.docker),
    pytest.param("sealed image", marks=pytest.mark.docker),
)


@pytest.fixture(params=["stand-in", "package", *IN_DOCKER])
def pulsar2(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Toolchain:
    """A toolchain that compiles."""
    if request.param in {"image", "sealed image"}:
        request.getfixturevalue("docker_engine")
        level = LEVELS[0] if request.param == "sealed image" else DOCUMENTED
        return DockerToolchain("image", "orch/pulsar2-sim:5.2", lambda _: level)
    module = "containers.pulsar2_sim"
    if request.param == "package":
        program = tmp_path_factory.mktemp("tree") / "bin" / "pulsar2"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        program.chmod(0o755)
        return PackageTree("package", program.parent.parent)
    sources = Path(containers.pulsar2_sim.cli.__file__).parent
    return LocalToolchain("stand-in", [sys.executable, "-m", module], sources)


def test_the_stand_in_says_who_it_is_and_that_it_is_simulated(pulsar2: Toolchain) -> None:
    identity = pulsar2.identity()
    assert (identity.version, identity.commit, identity.simulated) == (
        "5.2",
        SIMULATED_COMMIT,
        True,
    )
    assert identity.digest.startswith("sha256:")
    assert len(identity.digest) == len("sha256:") + 64
    assert pulsar2.identity() == identity


def test_a_model_is_compiled(pulsar2: Toolchain, tmp_path: Path) -> None:
    lines: list[str] = []
    argv = write_job(tmp_path)
    result = pulsar2.run(argv, tmp_path, lines.append, 120)
    assert result.returncode == 0, result.stdout.decode()
    header = read_header(tmp_path / "output" / "compiled.axmodel")
    assert (header.target, header.simulated) == (Target("AX650", "NPU3"), True)
    assert [(one.name, one.dtype, one.shape) for one in header.inputs] == [
        ("x", "uint8", (1, 16, 24, 3))
    ]
    assert len(lines) > 3


def test_a_model_that_cannot_be_compiled_is_a_result_with_its_cause(
    pulsar2: Toolchain, tmp_path: Path
) -> None:
    argv = write_job(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"no model")
    result = pulsar2.run(argv, tmp_path, lambda _: None, 120)
    assert result.returncode == 1
    assert b"DecodeError" in result.stdout
    assert not (tmp_path / "output" / "compiled.axmodel").exists()


def write_job(folder: Path) -> list[str]:
    """Write a tiny Conv with ArgMax, what calibrates it and its config; give the command line."""
    generator = np.random.default_rng(3)
    weight = generator.normal(size=(4, 3, 1, 1)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["logits"]),
            helper.make_node("ArgMax", ["logits"], ["classes"], axis=1, keepdims=1),
        ],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("classes", TensorProto.INT64, (1, 1, 16, 24))],
        [numpy_helper.from_array(weight, "w")],
    )
    opset = [helper.make_opsetid("", 11)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=7), folder / "model.onnx")
    with tarfile.open(folder / "calibration.tar", "w") as tar:
        for number in range(2):
            buffer = io.BytesIO()
            np.save(buffer, generator.normal(size=SHAPE).astype(np.float32))
            entry = tarfile.TarInfo(f"{number}.npy")
            entry.size = len(buffer.getvalue())
            tar.addfile(entry, io.BytesIO(buffer.getvalue()))
    calibration = {
        "tensor_name": "x",
        "calibration_dataset": "calibration.tar",
        "calibration_format": "Numpy",
        "calibration_size": 2,
        "calibration_mean": [127.5, 127.5, 127.5],
        "calibration_std": [64.0, 64.0, 64.0],
    }
    layout = {"tensor_name": "x", "src_layout": "NHWC", "src_dtype": "U8"}
    colours = {"tensor_format": "RGB", "src_format": "RGB"}
    config = {"quant": {"input_configs": [calibration]}, "input_processors": [layout | colours]}
    (folder / "config.json").write_text(json.dumps(config))
    files = ["--input", "model.onnx", "--output_dir", "output", "--config", "config.json"]
    return ["pulsar2", "build", *files, "--target_hardware", "AX650", "--npu_mode", "NPU3"]
