"""`orch build --config … --onnx …` and `orch tune`, as a user runs them, with the stand-in."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save
from PIL import Image

pytestmark = pytest.mark.slow

ORCH = Path(sys.executable).with_name("orch")
INVENTORY = """\
boards:
  sim-01: {simulated: true}
fleets:
  sim: {boards: [sim-01], recipe: segformer-tiny, toolchain: sim}
"""
CONFIG = """\
{
  // as a vendor publishes it
  "npu_mode": "NPU1",
  "quant": {
    "input_configs": [
      {
        "tensor_name": "input",
        "calibration_dataset": "./dataset/images.tar",
        "calibration_size": 8,
        "calibration_mean": [103.9, 116.8, 123.7],
        "calibration_std": [58.0, 58.0, 58.0]
      }
    ],
    "calibration_method": "MinMax"
  },
  "input_processors": [
    {
      "tensor_name": "input",
      "tensor_format": "BGR",
      "src_format": "BGR",
      "src_dtype": "U8",
      "src_layout": "NHWC"
    }
  ]
}
"""


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder with an inventory, a model, its config and its calibration images."""

    folder: Path

    def orch(self, *argv: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [str(ORCH), *argv],
            cwd=self.folder,
            env=os.environ | {"HF_HUB_OFFLINE": "1", "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "config.json").write_text(CONFIG)
    noise = np.random.default_rng(1)
    weights = numpy_helper.from_array(noise.normal(size=(4, 3, 3, 3)).astype(np.float32), "w")
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["input", "w"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["output"]),
        ],
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 4, 16, 16])],
        [weights],
    )
    opset = [helper.make_opsetid("", 13)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "model.onnx")
    (tmp_path / "dataset").mkdir()
    with tarfile.open(tmp_path / "dataset" / "images.tar", "w") as tar:
        for index in range(8):
            png = io.BytesIO()
            Image.fromarray(noise.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(png, "PNG")
            entry = tarfile.TarInfo(f"{index}.png")
            entry.size = png.tell()
            png.seek(0)
            tar.addfile(entry, png)
    return Desk(tmp_path)


def test_a_vendor_config_builds_its_model_once(desk: Desk) -> None:
    command = ("build", "--config", "config.json", "--onnx", "model.onnx", "--json")
    code, out, err = desk.orch(*command, "--output", "made.axmodel")
    assert code == 0, err
    first = json.loads(out)

    assert first["cached"] is False
    assert first["facts"]["npu_mode"] == "NPU1"
    assert first["facts"]["simulated"] is True
    kept = Path(first["axmodel"]["path"])
    assert kept.read_bytes() == (desk.folder / "made.axmodel").read_bytes()
    again = json.loads(desk.orch(*command)[1])
    assert (again["cached"], again["axmodel"]) == (True, first["axmodel"])


def test_what_the_dry_run_prints_is_what_runs(desk: Desk) -> None:
    command = ("build", "--config", "config.json", "--onnx", "model.onnx")
    planned = json.loads(desk.orch(*command, "--dry-run", "--json")[1])
    assert not (desk.folder / ".orch" / "cas").exists()

    _, _, err = desk.orch(*command)

    assert " ".join(planned["argv"]) in err
    database = (desk.folder / ".orch" / "orch.db").read_bytes()
    config = json.dumps(planned["config"], sort_keys=True, separators=(",", ":"))
    assert json.dumps(config)[1:-1].encode() in database


def test_a_missing_archive_is_named_with_its_line(desk: Desk) -> None:
    (desk.folder / "dataset" / "images.tar").unlink()

    code, _, err = desk.orch("build", "--config", "config.json", "--onnx", "model.onnx")

    assert code == 2
    assert "config.json:8: quant.input_configs[0].calibration_dataset: " in err
    assert not (desk.folder / ".orch" / "cas").exists()


def test_onnx_without_a_config_is_a_usage_error(desk: Desk) -> None:
    code, _, err = desk.orch("build", "--onnx", "model.onnx")

    assert code == 2
    assert "--onnx goes with --config" in err


def test_an_option_that_would_be_ignored_is_refused(desk: Desk) -> None:
    by_file = ("build", "--config", "config.json", "--onnx", "model.onnx", "--dry-run")
    by_recipe = ("build", "--config", "config.json", "--output", "made.axmodel", "--dry-run")

    code, _, err = desk.orch(*by_file, "--recipe", "segformer-tiny")

    assert (code, "--recipe is for a recipe" in err) == (2, True), err
    code, _, err = desk.orch(*by_recipe)
    assert (code, "--output goes with --onnx" in err) == (2, True), err


def test_a_recipe_that_is_named_counts_more_than_the_configs_model(desk: Desk) -> None:
    named = CONFIG.replace('"npu_mode": "NPU1"', '"input": "model.onnx", "npuMode": "NPU1"')
    (desk.folder / "config.json").write_text(named)
    command = ("build", "--config", "config.json", "--dry-run", "--json")

    code, by_file, err = desk.orch(*command)
    assert code == 0, err
    code, by_recipe, err = desk.orch(*command, "--recipe", "segformer-tiny")
    assert code == 0, err

    assert json.loads(by_file)["model"] == str(desk.folder / "model.onnx")
    assert json.loads(by_recipe)["recipe"] == "segformer-tiny"
    assert json.loads(by_recipe)["config"]["npu_mode"] == "NPU1"
    assert "input is left out: the recipe decides it" in err


def test_a_row_of_the_grid_becomes_a_recipe(desk: Desk) -> None:
    command = ("tune", "segformer-tiny", "--method", "MinMax", "--method", "Percentile")
    code, out, err = desk.orch(*command, "--u16", "0", "--u16", "2", "--no-smooth-quant")
    assert code == 0, err
    assert "Quantizations of segformer-tiny" in out
    assert [line.split()[0] for line in out.splitlines()[3:7]] == ["1", "2", "3", "4"]

    code, again, err = desk.orch(
        *command, "--u16", "0", "--u16", "2", "--no-smooth-quant", "--json", "--apply", "4",
        "--output", "mine.yaml",
    )  # fmt: skip

    rows = json.loads(again)["rows"]
    assert err.count("cached") >= 8, err
    assert rows[3]["point"]["u16_layers"] == 2
    assert len(rows[3]["keys"]["quant"]["layer_configs"][0]["layer_names"]) == 2
    code, planned, err = desk.orch("build", "--recipe", "mine.yaml", "--dry-run", "--json")
    assert code == 0, err
    assert json.loads(planned)["config"]["quant"]["calibration_method"] == "Percentile"


def test_a_shipped_recipe_is_not_written_over(desk: Desk) -> None:
    code, _, err = desk.orch("tune", "segformer-tiny", "--apply", "1")

    assert code == 2
    assert "--output my-recipe.yaml" in err
