"""`orch preflight` as a person calls it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner, Result

from orchestrator.cli.main import app
from orchestrator.errors import OrchError


def orch(*argv: str) -> Result:
    return CliRunner().invoke(app, ["preflight", *argv])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model of one node for each of two operators, and a calibration archive."""
    for op in ("Relu", "Selu"):
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
        node = helper.make_node(op, ["x"], ["y"], name=f"the_{op}")
        graph = helper.make_graph([node], "g", ends[:1], ends[1:])
        opset = [helper.make_opsetid("", 13)]
        onnx.save(helper.make_model(graph, opset_imports=opset), tmp_path / f"{op}.onnx")
    stream = io.BytesIO()
    np.save(stream, np.arange(4, dtype=np.float32)[None])
    with tarfile.open(tmp_path / "samples.tar", "w") as archive:
        for index in range(8):
            entry = tarfile.TarInfo(f"{index}.npy")
            entry.size = len(stream.getvalue())
            archive.addfile(entry, io.BytesIO(stream.getvalue()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


pytestmark = pytest.mark.usefixtures("folder")


def write_config(folder: Path, **keys: object) -> None:
    row = {
        "tensor_name": "x",
        "calibration_dataset": "samples.tar",
        "calibration_format": "Numpy",
    }
    config = {"quant": {"input_configs": [row]}, **keys}
    (folder / "config.json").write_text(json.dumps(config))


def test_a_model_that_fits_ends_with_0_and_a_sentence(folder: Path) -> None:
    write_config(folder, npu_mode="NPU3")
    done = orch("Relu.onnx", "--config", "config.json")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "Relu.onnx for AX650/NPU3 by pulsar2 7.0: nothing speaks against" in done.stdout


def test_a_refused_model_ends_with_1_and_a_table_on_stdout() -> None:
    argv = ("Selu.onnx", "--target-hardware", "AX650", "--npu-mode", "NPU3")
    done = orch(*argv, "--pulsar2-version", "5.2")
    assert (done.exit_code, done.stderr) == (1, "")
    header, _, row, sentence = done.stdout.splitlines()
    assert header.split() == ["level", "check", "where", "what", "advice"]
    assert row.startswith("refuse")
    assert "the_Selu" in row
    assert sentence.endswith("by pulsar2 5.2: 1 would fail the build, 0 to think about")


def test_json_holds_every_finding() -> None:
    done = orch("Selu.onnx", "--calibration", "samples.tar", "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert (found["target"], found["refused"]) == ("AX650/NPU1", True)
    (finding,) = found["findings"]
    assert finding == {
        "level": "refuse",
        "check": "operator",
        "where": "the_Selu",
        "message": "AX650 has no Selu",
        "advice": "end the model before it, and do the rest on the host",
    }


def test_the_archive_of_the_command_line_stands_for_the_configs(folder: Path) -> None:
    write_config(folder)
    (folder / "empty.tar").write_bytes(b"")
    argv = ("Relu.onnx", "--config", "config.json", "--calibration", "empty.tar", "--json")
    done = orch(*argv)
    assert done.exit_code == 1
    assert {one["where"] for one in json.loads(done.stdout)["findings"]} == {"empty.tar"}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["nothing.onnx"], "nothing.onnx: no such file"),
        (["samples.tar"], "samples.tar: is no ONNX file"),
        (["Relu.onnx", "--config", "config.json"], "config.json:1: quant.chek: no such key"),
    ],
)
def test_bad_usage_is_told_from_a_refusal(folder: Path, argv: list[str], message: str) -> None:
    (folder / "config.json").write_text('{"quant": {"chek": 1}}')
    done = orch(*argv)
    assert isinstance(done.exception, OrchError)
    assert (done.exception.exit_code, done.stdout) == (2, "")
    assert message in done.exception.message


def test_a_process_ends_with_2_and_says_why_on_stderr(folder: Path) -> None:
    code = "from orchestrator.cli.main import main; main()"
    command = [sys.executable, "-c", code, "preflight", "nothing.onnx"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing.onnx: no such file" in done.stderr
