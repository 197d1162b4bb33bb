"""Constants and attributes that a config changes are changed in the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from tests.unit.pulsar2_sim.conftest import Bench

SHAPE = (1, 3, 16, 24)


def _image(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def _constant(bench: Bench, name: str) -> NDArray[np.generic]:
    model = onnx.load(bench.folder / "out" / "frontend" / "optimized.onnx")
    return next(numpy_helper.to_array(t) for t in model.graph.initializer if t.name == name)


@pytest.mark.parametrize("suffix", ["", ".bin", ".npy", ".txt"])
def test_a_constant_is_replaced(bench: Bench, suffix: str) -> None:
    values = np.array([1.5, -2, 0.25, 4], np.float32)
    path = bench.folder / f"bias{suffix}"
    entry: dict[str, object] = {"name": "b2"}
    entry |= {"data_path": str(path)} if suffix else {"data": values.tolist()}
    if suffix == ".bin":
        path.write_bytes(values.tobytes())
    elif suffix == ".npy":
        np.save(path, values)
    elif suffix == ".txt":
        np.savetxt(path, values)

    bench.built(const_processors=[entry])

    assert np.array_equal(_constant(bench, "b2"), values)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "b3", "data": [1]}, "[b3] of const_processors is not in the model, near are b2"),
        ({"name": "b2", "data": [1, 2]}, "[b2] gives 2 value(s), it takes 4: float32 (4,)"),
        ({"name": "b2", "data_path": "values.csv"}, "values.csv is none of .bin, .npy, .txt"),
        ({"name": "b2", "data_path": "/none.npy"}, "FileNotFoundError: /none.npy"),
    ],
)
def test_a_constant_that_cannot_be_replaced_is_refused(
    bench: Bench, entry: dict[str, object], message: str
) -> None:
    assert message in bench.refused(const_processors=[entry])


def _pooled(path: Path) -> None:
    """Give a pool whose height depends on its ceil_mode, and a Flatten behind it."""
    nodes = [
        helper.make_node(
            "MaxPool", ["pixel_values"], ["p"], name="pool", kernel_shape=[3, 3], strides=[2, 2]
        ),
        helper.make_node("Relu", ["p"], ["r"], name="act"),
        helper.make_node("Flatten", ["r"], ["classes"], name="flat"),
    ]
    graph = helper.make_graph(
        nodes,
        "pooled",
        [helper.make_tensor_value_info("pixel_values", 1, list(SHAPE))],
        [helper.make_tensor_value_info("classes", 1, [1, 231])],
    )
    opset = helper.make_opsetid("", 13)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)


@pytest.mark.parametrize("field", ["op_processors", "quant_op_processors"])
def test_an_attribute_is_patched(bench: Bench, field: str) -> None:
    _pooled(bench.folder / "model.onnx")
    image = _image((1, 16, 24, 3))
    bench.built()
    plain = bench.infer(image)

    bench.built(**{field: [{"op_name": "pool", "attrs": {"ceil_mode": 1}}]})

    patched = bench.infer(image)
    assert (plain.shape, patched.shape) == ((1, 231), (1, 288))


def test_op_processors_are_in_the_rewritten_model_and_quant_op_processors_are_not(
    bench: Bench,
) -> None:
    _pooled(bench.folder / "model.onnx")
    found = {}
    for field in ("op_processors", "quant_op_processors"):
        bench.built(**{field: [{"op_name": "flat", "attrs": {"shape": [0, 3, 77]}}]})
        assert bench.infer(_image((1, 16, 24, 3))).shape == (1, 3, 77)
        nodes = onnx.load(bench.folder / "out" / "frontend" / "optimized.onnx").graph.node
        found[field] = nodes[-1].op_type

    assert found == {"op_processors": "Reshape", "quant_op_processors": "Flatten"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"op_name": "pol", "attrs": {}}, "'[pol] of op_processors is not in the model, near are"),
        ({"op_name": "pool", "attrs": {"fmod": 0}}, "op MaxPool attr fmod does not exist"),
        ({"op_name": "pool", "attrs": {"ceil_mode": 0.5}}, "0.5 is no integer"),
    ],
)
def test_an_attribute_that_cannot_be_patched_is_refused(
    bench: Bench, entry: dict[str, object], message: str
) -> None:
    _pooled(bench.folder / "model.onnx")

    assert message in bench.refused(op_processors=[entry])
