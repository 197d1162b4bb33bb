"""An ONNX file of one's own: what is taken as it is, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from orchestrator.checkpoint import find_checkpoint
from orchestrator.domain import Checkpoint, HeadSpec, Recipe
from orchestrator.errors import ConfigError, ExportError
from orchestrator.own_onnx import write_own
from orchestrator.recipe import load_recipe

TINY = load_recipe("segformer-tiny")
WEIGHTS: NDArray[np.float32] = np.random.default_rng(0).normal(size=(8, 3, 4, 4)).astype(np.float32)


def recipe(path: Path, **export: object) -> Recipe:
    """A recipe of a file from `pixels`, 1x3x32x64, to `far`."""
    spec = {"shape": (1, 3, 32, 64), "input_name": "pixels", "output_name": "far", **export}
    return replace(
        TINY,
        name="own",
        checkpoint=Checkpoint(str(path), None, "depth-estimation", "onnx"),
        export=replace(TINY.export, **spec),  # type: ignore[arg-type] # each test gives a field's type
        head=HeadSpec("none", 1, keepdims=True, output_name="classes"),
        classes=(),
    )


def model(
    *more: NodeProto,
    shape: list[int | str] | None = None,
    dtype: int = TensorProto.FLOAT,
    inputs: tuple[str, ...] = ("pixels",),
    outputs: tuple[str, ...] = ("far",),
) -> onnx.ModelProto:
    """Two layers, depth at a quarter of the size; `seen` is what is between them."""
    value, wanted = helper.make_tensor_value_info, shape or [1, 3, 32, 64]
    nodes = [
        helper.make_node("Conv", ["pixels", "w"], ["seen"], strides=[4, 4]),
        helper.make_node("ReduceMean", ["seen"], ["far"], axes=[1], keepdims=0),
        *more,
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [value(name, dtype, wanted) for name in inputs],
        [value(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(WEIGHTS, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def shape_of(value: onnx.ValueInfoProto) -> list[int]:
    return [axis.dim_value for axis in value.type.tensor_type.shape.dim]


def refusal(made: onnx.ModelProto, tmp_path: Path, **export: object) -> ExportError:
    path = tmp_path / "mine.onnx"
    onnx.save(made, path)
    with pytest.raises(ExportError) as caught:
        write_own(recipe(path, **export), path, tmp_path / "model.onnx")
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def test_open_axes_get_the_recipes_sizes(tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    onnx.save(model(shape=["batch", 3, "rows", "columns"]), path)

    taken = write_own(recipe(path), path, tmp_path / "model.onnx")

    written = onnx.load(taken.path)
    assert shape_of(written.graph.input[0]) == [1, 3, 32, 64]
    assert shape_of(written.graph.output[0]) == [1, 8, 16]
    assert (taken.ops, taken.opset) == ({"Conv": 1, "ReduceMean": 1}, 13)


def test_what_lies_beside_a_file_is_put_into_the_one_that_goes_on(tmp_path: Path) -> None:
    source = tmp_path / "mine" / "mine.onnx"
    source.parent.mkdir()
    onnx.save(model(), source, save_as_external_data=True, location="w.bin", size_threshold=0)

    taken = write_own(recipe(source), source, tmp_path / "model.onnx")

    (weights,) = onnx.load(taken.path, load_external_data=False).graph.initializer
    assert np.array_equal(numpy_helper.to_array(weights), WEIGHTS)


def test_other_weights_beside_a_file_make_another_fingerprint(tmp_path: Path) -> None:
    source, data = tmp_path / "mine.onnx", tmp_path / "w.bin"
    onnx.save(model(), source, save_as_external_data=True, location="w.bin", size_threshold=0)
    checkpoint = Checkpoint(str(source), None, "depth-estimation", "onnx")
    before = find_checkpoint(checkpoint).fingerprint

    assert find_checkpoint(checkpoint).fingerprint == before
    data.write_bytes(data.read_bytes()[:-1] + b"\x01")

    assert find_checkpoint(checkpoint).fingerprint != before


def test_outputs_that_the_recipe_does_not_name_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    onnx.save(model(outputs=("seen", "far")), path)

    taken = write_own(recipe(path), path, tmp_path / "model.onnx")

    assert [one.name for one in onnx.load(taken.path).graph.output] == ["far"]


@pytest.mark.parametrize(
    ("made", "export", "message", "hint"),
    [
        (
            model(inputs=("pixels", "prompt")),
            {},
            "has 2 inputs, pixels, prompt; orch feeds one image",
            "make the others constants before",
        ),
        (
            model(),
            {"input_name": "x"},
            "its input is 'pixels', the recipe's 'x'",
            "export.input.name: pixels",
        ),
        (
            model(shape=[1, 32, 64, 3]),
            {},
            "its input pixels is 1x32x64x3, the recipe's 1x3x32x64",
            "it wants NHWC, orch feeds NCHW: export it with its channels first",
        ),
        (
            model(shape=[1, 3, 48, "columns"]),
            {},
            "its input pixels is 1x3x48x?, the recipe's 1x3x32x64",
            "export.input.shape: [1, 3, 48, ?]",
        ),
        (
            model(dtype=TensorProto.UINT8),
            {},
            "its input pixels is uint8, orch feeds float",
            "export it with the normalisation outside: mean and std belong to the recipe",
        ),
        (
            model(dtype=TensorProto.FLOAT16),
            {},
            "its input pixels is float16, orch feeds float",
            "",
        ),
        (
            model(),
            {"output_name": "depth"},
            "has no output 'depth', it has far",
            "export.output: far",
        ),
    ],
    ids=["inputs", "name", "nhwc", "size", "uint8", "float16", "output"],
)
def test_what_does_not_fit_the_recipe_is_refused_with_what_to_write(
    made: onnx.ModelProto, export: dict[str, object], message: str, hint: str, tmp_path: Path
) -> None:
    error = refusal(made, tmp_path, **export)

    assert str(error) == f"own: mine.onnx: {message}"
    assert error.hint.startswith(hint)


def test_a_size_that_the_layers_do_not_take_is_refused(tmp_path: Path) -> None:
    placed = helper.make_node("Add", ["far", "places"], ["near"])
    made = model(placed, shape=["batch", 3, "rows", "columns"], outputs=("near",))
    places = np.zeros((1, 8, 16), np.float32)
    made.graph.initializer.append(numpy_helper.from_array(places, "places"))

    error = refusal(made, tmp_path, shape=(1, 3, 64, 64), output_name="near")

    assert str(error).startswith("own: mine.onnx does not take 1x3x64x64: ")


@pytest.mark.parametrize("content", [None, b"no model at all"], ids=["missing", "garbage"])
def test_a_file_that_is_no_model_is_a_mistake_of_the_recipe(
    content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "mine.onnx"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        find_checkpoint(Checkpoint(str(path), None, "depth-estimation", "onnx"))

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
