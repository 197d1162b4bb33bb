"""Export and optimize on real SegFormers: B0 with random weights, and the trained small one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from orchestrator.domain import HeadSpec
from orchestrator.errors import ExportError, OptimizeError
from orchestrator.hashing import sha256_file
from orchestrator.images import NamedImage, load_images, normalise
from orchestrator.onnx_graph import run_float
from orchestrator.recipe import load_recipe
from orchestrator.recipes import DEMO_CHECKPOINT
from orchestrator.stages.export import Exported, export
from orchestrator.stages.optimize import optimize

pytestmark = pytest.mark.slow

#: What the simplified SegFormer-B0 consists of, with transformers 5, which scales attention by a
#: product; with transformers 4 Div and Mul are 46 each.
ARTICLE = {
    "Add": 136,
    "Concat": 1,
    "Conv": 20,
    "Div": 38,
    "Erf": 8,
    "MatMul": 68,
    "Mul": 54,
    "Pow": 30,
    "ReduceMean": 60,
    "Relu": 1,
    "Reshape": 76,
    "Resize": 4,
    "Softmax": 8,
    "Sqrt": 30,
    "Sub": 30,
    "Transpose": 76,
}
TINY = load_recipe("segformer-tiny")


@pytest.fixture(scope="module")
def scenes() -> list[NamedImage]:
    return list(load_images(TINY.evaluation, "evaluation", 128, 256))[:3]


@pytest.fixture(scope="module")
def exported(scenes: list[NamedImage], tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export(TINY, DEMO_CHECKPOINT, scenes, tmp_path_factory.mktemp("tiny"))


def test_segformer_b0_at_640x1280_simplifies_to_the_known_operators(tmp_path: Path) -> None:
    import torch
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    torch.manual_seed(0)
    checkpoint = tmp_path / "checkpoint"
    SegformerForSemanticSegmentation(SegformerConfig(num_labels=19)).save_pretrained(checkpoint)
    recipe = load_recipe("segformer-b0-cityscapes-640x1280")
    noise = np.random.default_rng(0).integers(0, 256, (640, 1280, 3), dtype=np.uint8)
    (tmp_path / "exported").mkdir()
    (tmp_path / "optimized").mkdir()

    done = export(recipe, checkpoint, [NamedImage("noise", noise)], tmp_path / "exported")
    simple = optimize(recipe, done.path, [NamedImage("noise", noise)], 1, tmp_path / "optimized")

    assert done.max_abs_diff < 1e-4
    assert simple.ops_after == ARTICLE
    assert simple.ops_before["Constant"] > 0
    assert simple.ops_before["Shape"] == 20
    model = onnx.load(simple.path)
    assert model.opset_import[0].version == 11
    (output,) = model.graph.output
    assert output.name == "argmax_output"
    assert output.type.tensor_type.elem_type == onnx.TensorProto.INT64
    assert [axis.dim_value for axis in output.type.tensor_type.shape.dim] == [1, 1, 160, 320]


def test_the_same_checkpoint_gives_the_same_bytes(
    exported: Exported, scenes: list[NamedImage], tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    again = export(TINY, DEMO_CHECKPOINT, scenes, tmp_path)
    first = optimize(TINY, exported.path, scenes, 3, tmp_path / "a")
    second = optimize(TINY, again.path, scenes, 3, tmp_path / "b")

    assert sha256_file(again.path) == sha256_file(exported.path)
    assert sha256_file(first.path) == sha256_file(second.path)
    assert sha256_file(first.reference) == sha256_file(second.reference)


def test_an_export_is_checked_against_torch_on_the_images(exported: Exported) -> None:
    assert exported.images == 3
    assert 0 < exported.max_abs_diff < 1e-3
    assert exported.agreement == 1.0


def test_an_export_that_differs_from_torch_is_refused(
    scenes: list[NamedImage], tmp_path: Path
) -> None:
    strict = replace(TINY, export=replace(TINY.export, max_abs_diff=1e-12))

    with pytest.raises(ExportError, match=r"max abs difference \S+ \(may be 1e-12\)"):
        export(strict, DEMO_CHECKPOINT, scenes, tmp_path)


def test_an_export_that_finds_other_classes_than_torch_is_refused(
    scenes: list[NamedImage], tmp_path: Path
) -> None:
    strict = replace(TINY, export=replace(TINY.export, min_agreement=1.01))

    with pytest.raises(ExportError, match=r"agreement 100\.0000% \(must be 101\.00%\)"):
        export(strict, DEMO_CHECKPOINT, scenes, tmp_path)


def test_a_checkpoint_with_other_classes_is_refused(
    scenes: list[NamedImage], tmp_path: Path
) -> None:
    fewer = replace(TINY, classes=TINY.classes[:5])

    with pytest.raises(ExportError, match="has 8 classes, the recipe 5"):
        export(fewer, DEMO_CHECKPOINT, scenes, tmp_path)


def test_a_folder_that_is_no_segformer_is_refused(scenes: list[NamedImage], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_bytes(b"not weights")

    with pytest.raises(
        ExportError, match=r"transformers has no semantic-segmentation model of type .bert."
    ):
        export(TINY, tmp_path, scenes, tmp_path)


def test_the_head_gives_the_class_of_the_largest_logit(
    exported: Exported, scenes: list[NamedImage], tmp_path: Path
) -> None:
    done = optimize(TINY, exported.path, scenes, 3, tmp_path)
    feeds = [{"input": normalise(image.pixels, TINY.preprocess)} for image in scenes]
    logits = run_float(exported.path, feeds)

    assert done.agreement == 1.0
    reference = np.load(done.reference)
    assert reference.shape == (3, 32, 64)
    for found, expected in zip(reference, logits, strict=True):
        assert (found == expected[0].argmax(axis=0)).mean() > 0.9999


@pytest.mark.parametrize(
    ("head", "shape", "name"),
    [
        (HeadSpec("argmax", 1, keepdims=False, output_name="classes"), [1, 32, 64], "classes"),
        (HeadSpec("argmax", 3, keepdims=True, output_name="columns"), [1, 8, 32, 1], "columns"),
        (HeadSpec("none", 1, keepdims=True, output_name="ignored"), [1, 8, 32, 64], "logits"),
    ],
)
def test_other_heads_follow_the_recipe(
    exported: Exported, head: HeadSpec, shape: list[int], name: str
) -> None:
    from orchestrator.stages.optimize import _with_head

    model = _with_head(onnx.load(exported.path), head)

    (output,) = model.graph.output
    assert output.name == name
    assert [axis.dim_value for axis in output.type.tensor_type.shape.dim] == shape
    onnx.checker.check_model(model)


def test_an_axis_that_the_logits_have_not_is_refused(exported: Exported) -> None:
    from orchestrator.stages.optimize import _with_head

    with pytest.raises(OptimizeError, match=r"optimize\.head\.axis: 7 is not an axis"):
        _with_head(onnx.load(exported.path), HeadSpec("argmax", 7, keepdims=True, output_name="x"))
