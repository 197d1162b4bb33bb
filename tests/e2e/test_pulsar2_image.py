"""The image of the stand-in takes every way to call it that the vendor's image takes."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytestmark = pytest.mark.docker

Docker = Callable[..., str]
VERSIONS = ("3.3", "4.2", "5.2", "7.0")
SHAPE = (1, 3, 8, 8)
BUILD = "pulsar2 build --config build.json"
LAST_LINE = "fuse 1 subgraph(s)"


def image(version: str = "5.2") -> str:
    return f"orch/pulsar2-sim:{version}"


@pytest.fixture
def folder(tmp_path: Path, docker_engine: Docker) -> Path:
    """A folder with model, calibration data and config; needs the engine."""
    assert docker_engine("version")
    weight = np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])],
        "one layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4, 8, 8))],
        [numpy_helper.from_array(weight, "w")],
    )
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "model.onnx")
    sample = io.BytesIO()
    np.save(sample, np.random.default_rng(2).normal(size=SHAPE).astype(np.float32))
    with tarfile.open(tmp_path / "calibration.tar", "w") as tar:
        info = tarfile.TarInfo("0.npy")
        info.size = len(sample.getvalue())
        tar.addfile(info, io.BytesIO(sample.getvalue()))
    data = {"tensor_name": "x", "calibration_dataset": "calibration.tar"}
    quant = {"input_configs": [data | {"calibration_format": "Numpy"}]}
    config = {"input": "model.onnx", "output_dir": "output", "quant": quant}
    (tmp_path / "build.json").write_text(json.dumps(config))
    return tmp_path


def run(folder: Path, *argv: str) -> tuple[int, str]:
    """Run `docker run` with the folder as /data; give its return code and all that it said.

    The engine carries the two streams apart, so their lines may come in another order.
    """
    done = subprocess.run(
        ["docker", "run", "--rm", "--network", "none", "--volume", f"{folder}:/data", *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_a_tag_simulates_its_version(folder: Path, version: str) -> None:
    code, said = run(folder, image(version), "-c", f"pulsar2 version && {BUILD}")

    assert code == 0, said
    assert said.startswith(f"version: {version}\ncommit: fa4e0000\n")
    model = onnx.load(folder / "output" / "compiled.axmodel")
    assert model.doc_string.startswith(f"Pulsar2 Version:  {version}\n")


@pytest.mark.parametrize(
    "argv",
    [
        (image(), "pulsar2", "build", "--config", "build.json"),
        (image(), "-c", BUILD),
        (image(), "-lc", BUILD),
        ("--entrypoint", "pulsar2", image(), "build", "--config", "build.json"),
    ],
    ids=["script", "-c", "-lc", "entrypoint"],
)
def test_every_way_to_call_it_builds_as_root_in_data(folder: Path, argv: tuple[str, ...]) -> None:
    code, said = run(folder, *argv)

    assert code == 0, said
    assert LAST_LINE in said
    assert (folder / "output" / "compiled.axmodel").stat().st_uid == 0


def test_bash_as_an_argument_is_no_script(folder: Path) -> None:
    code, said = run(folder, image(), "bash", "-c", "pulsar2 version")

    assert code == 126
    assert "cannot execute binary file" in said


def test_an_unknown_option_is_a_usage_error_of_main_py(folder: Path) -> None:
    code, said = run(folder, image(), "pulsar2", "build", "--no_such_option")

    assert code == 2
    assert "main.py: error: unrecognized arguments: --no_such_option" in said


@pytest.mark.parametrize("argv", [("-c", BUILD), tuple(BUILD.split())], ids=["-c", "script"])
@pytest.mark.parametrize(
    ("fault", "ends_with", "sign"),
    [
        ("oom", 137, "34/68"),
        ("abort", 134, "terminate called after throwing"),
        ("licence", 1, "Sentinel key not found (H0007)"),
    ],
)
def test_a_fault_ends_with_the_return_code_of_a_shell(
    folder: Path, argv: tuple[str, ...], fault: str, ends_with: int, sign: str
) -> None:
    code, said = run(folder, "--env", f"PULSAR2_SIM_FAULT={fault}", image(), *argv)

    assert code == ends_with
    assert sign in said
    assert LAST_LINE not in said
    assert not (folder / "output" / "compiled.axmodel").exists()


@pytest.mark.parametrize(
    "options", [("--env", "HOME=/tmp"), ("--user", "65534:65534")], ids=["home", "user"]
)
def test_the_licence_is_found_in_the_home_of_root_only(
    folder: Path, options: tuple[str, ...]
) -> None:
    folder.chmod(0o755)  # pytest keeps its folders from other users

    code, said = run(folder, *options, image(), "-c", f"{BUILD} --output_dir /tmp/output")

    assert code == 1
    assert "assemble model [0] [subgraph_npu_0] b1" in said
    assert "RuntimeError: Sentinel key not found (H0007)" in said


def test_the_same_input_gives_the_same_bytes_in_another_container(folder: Path) -> None:
    axmodel = folder / "output" / "compiled.axmodel"
    assert run(folder, image(), "-c", BUILD)[0] == 0
    first = axmodel.read_bytes()

    code, said = run(folder, image(), "-c", f"rm -r output && {BUILD}")

    assert code == 0, said
    assert axmodel.read_bytes() == first


def test_a_failed_build_leaves_the_axmodel_of_the_one_before(folder: Path) -> None:
    axmodel = folder / "output" / "compiled.axmodel"
    assert run(folder, image(), "-c", BUILD)[0] == 0
    before = axmodel.read_bytes()

    code, said = run(folder, "--env", "PULSAR2_SIM_FAULT=stale", image(), "-c", BUILD)

    assert code == 1
    assert "[Warning]File output/quant/quant_axmodel.onnx has already exist" in said
    assert axmodel.read_bytes() == before
