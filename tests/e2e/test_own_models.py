"""Models that orch does not ship: an ONNX file of one's own, and recipes that orch drafted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

from tests.e2e.desk import Desk

pytestmark = pytest.mark.slow

INVENTORY = """\
boards:
  sim-01: {simulated: true}
fleets:
  sim: {boards: [sim-01], toolchain: sim}
"""
OWN = """\
checkpoint: {onnx: mine.onnx, task: depth-estimation}
export:
  input: {name: pixels, shape: [1, 3, 32, 64]}
  output: far
preprocess: {mean: [0, 0, 0], std: [255, 255, 255]}
compile:
  target_hardware: AX650
  npu_mode: NPU3
  calibration: {generator: street-scenes, seed: 1, size: 4}
evaluation: {generator: street-scenes, seed: 100, size: 3}
run: {iterations: 10}
"""
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}


@dataclass(frozen=True, slots=True)
class Folder:
    path: Path

    def orch(self, *argv: str) -> tuple[int, dict[str, object], str]:
        """Give the exit code, the report and what went to stderr."""
        code, out, said = Desk(self.path).orch(*argv, "--json")
        return code, json.loads(out) if out.strip() else {}, said


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "mine.yaml").write_text(OWN)
    return Folder(tmp_path)


def write_own_model(path: Path) -> None:
    """Depth at a quarter of the size, open in its sizes, with its weights beside it."""
    weights = np.random.default_rng(0).uniform(size=(8, 3, 4, 4)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["pixels", "w"], ["seen"], strides=[4, 4]),
            helper.make_node("Relu", ["seen"], ["kept"]),
            helper.make_node("ReduceMean", ["kept"], ["far"], axes=[1], keepdims=0),
        ],
        "g",
        [
            helper.make_tensor_value_info(
                "pixels", TensorProto.FLOAT, ["batch", 3, "rows", "columns"]
            )
        ],
        [helper.make_tensor_value_info("far", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weights, "w")],
    )
    opset = [helper.make_opsetid("", 13)]
    onnx.save(
        helper.make_model(graph, opset_imports=opset, ir_version=8),
        path,
        save_as_external_data=True,
        location="mine.bin",
        size_threshold=0,
    )


def test_an_onnx_file_of_ones_own_goes_to_a_board(folder: Folder) -> None:
    write_own_model(folder.path / "mine.onnx")

    code, report, said = folder.orch("deploy", "--fleet", "sim", "--recipe", "mine.yaml")

    assert code == 0, said
    boards = report["boards"]
    assert isinstance(boards, list)
    (outcome,) = [entry["outcome"] for entry in boards]
    assert outcome["agreement"]["images"] == 3
    assert outcome["agreement"]["share"] > 0.9
    assert len(outcome["measurement"]["samples_ns"]) == 10
    assert "mine.onnx is ONNX already" in said

    code, _, said = folder.orch("build", "--fleet", "sim", "--recipe", "mine.yaml")

    assert code == 0, said
    assert "is ONNX already" not in said


def test_an_onnx_file_that_is_not_there_is_a_line_and_code_2(folder: Folder) -> None:
    code, _, said = folder.orch("build", "--fleet", "sim", "--recipe", "mine.yaml")

    assert code == 2
    assert "mine.onnx: no such file" in said
    assert "Traceback" not in said


def write_vit(path: Path) -> None:
    """A classifier, with its processor."""
    import transformers

    names = {0: "cat", 1: "dog: a big one", 2: "cat"}
    config = transformers.ViTConfig(**SMALL, image_size=64, patch_size=16, id2label=names)
    transformers.ViTForImageClassification(config).save_pretrained(path)
    transformers.ViTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(path)


def write_dinov2(path: Path) -> None:
    """A backbone of patches of 14, trained at 70, with the processor of those on the hub."""
    import transformers

    small = {key: value for key, value in SMALL.items() if key != "intermediate_size"}
    config = transformers.Dinov2Config(**small, image_size=70, patch_size=14)
    transformers.Dinov2Model(config).save_pretrained(path)
    processor = {
        "image_processor_type": "BitImageProcessor",
        "size": {"shortest_edge": 80},
        "crop_size": {"height": 70, "width": 70},
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    }
    (path / "preprocessor_config.json").write_text(json.dumps(processor))


@pytest.mark.parametrize(
    ("write", "task", "shape"),
    [
        (write_vit, "image-classification", [1, 3, 64, 64]),
        (write_dinov2, "image-feature-extraction", [1, 3, 70, 70]),
    ],
    ids=["vit", "dinov2"],
)
def test_a_drafted_recipe_builds_as_it_is(
    write: object, task: str, shape: list[int], folder: Folder
) -> None:
    import torch

    torch.manual_seed(0)
    assert callable(write)
    write(folder.path / "checkpoint")

    code, drafted, said = folder.orch("recipe", "new", "drafted", "--checkpoint", "checkpoint")
    assert code == 0, said
    code, built, said = folder.orch("build", "--fleet", "sim", "--recipe", "drafted.yaml")

    assert code == 0, said
    recipe = yaml.safe_load((folder.path / "drafted.yaml").read_text())
    assert (drafted["task"], recipe["export"]["input"]["shape"]) == (task, shape)
    stages = built["stages"]
    assert isinstance(stages, dict)
    assert stages["optimize"]["facts"]["agreement"] > 0.9999
    assert stages["optimize"]["facts"]["difference"] < 1e-4
