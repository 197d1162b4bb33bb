from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

from orchestrator.errors import OptimizeError
from orchestrator.onnx_layers import landmarks, layer_sizes, spread, with_layers


@pytest.fixture
def model() -> ModelProto:
    """Conv → Relu → Conv → normalization's epsilon → Reshape → MatMul + bias, ArgMax behind it."""
    dice = np.random.default_rng(0)
    weights = {
        "w1": dice.normal(size=(4, 3, 1, 1)),
        "w2": dice.normal(size=(4, 4, 1, 1)),
        "epsilon": np.array([1e-5]),
        "w3": dice.normal(size=(4, 5)),
        "bias": dice.normal(size=(5,)),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["conv1"]),
        helper.make_node("Relu", ["conv1"], ["relu"]),
        helper.make_node("Conv", ["relu", "w2"], ["conv2"]),
        helper.make_node("Add", ["conv2", "epsilon"], ["shifted"]),
        helper.make_node("Sqrt", ["shifted"], ["root"]),
        helper.make_node("Add", ["relu", "root"], ["residual"]),
        helper.make_node("Reshape", ["residual", "shape"], ["rows"]),
        helper.make_node("MatMul", ["rows", "w3"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["biased"]),
        helper.make_node("ArgMax", ["biased"], ["classes"], axis=2),
    ]
    initializers = [
        numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()
    ]
    initializers.append(numpy_helper.from_array(np.array([1, 4, 4], np.int64), "shape"))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 2, 2])],
        [helper.make_tensor_value_info("classes", TensorProto.INT64, [1, 4, 1])],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def outputs(model: ModelProto) -> list[str]:
    return [value.name for value in model.graph.output]


def test_without_layers_the_model_is_the_same_object(model: ModelProto) -> None:
    assert with_layers(model, 0) is model
    assert with_layers(model, ()) is model


def test_only_computed_floats_inside_the_graph_can_be_looked_at(model: ModelProto) -> None:
    assert list(layer_sizes(model)) == [
        *("conv1", "relu", "conv2", "shifted", "root", "residual", "product", "biased")
    ]
    assert layer_sizes(model)["biased"] == 4 * 5 * 4


def test_nothing_inside_of_what_compilers_make_one_step_of_is_a_landmark(
    model: ModelProto,
) -> None:
    assert landmarks(model) == {"relu", "residual", "biased"}


@pytest.mark.parametrize(
    ("layers", "chosen"),
    [
        (2, ["relu", "biased"]),
        (3, ["relu", "residual", "biased"]),
        (50, ["relu", "residual", "biased"]),
        (1, ["relu"]),
        (("product", "conv1"), ["conv1", "product"]),
    ],
)
def test_layers_become_outputs_behind_the_models_own_in_the_graphs_order(
    model: ModelProto, layers: Sequence[str] | int, chosen: list[str]
) -> None:
    found = with_layers(model, layers)

    checker.check_model(found, full_check=True)
    assert outputs(found) == ["classes", *chosen]
    assert outputs(model) == ["classes"]


def test_an_unknown_tensor_names_those_like_it(model: ModelProto) -> None:
    with pytest.raises(OptimizeError, match="no inner float tensor 'resdual'") as caught:
        with_layers(model, ("resdual",))
    assert "like it are residual" in caught.value.hint


def test_tensors_too_large_for_one_answer_are_left_out() -> None:
    sizes = {"small": 1024, "huge": 1 << 30, "last": 2048}

    assert spread(sizes, 3) == ["small", "last"]
    with pytest.raises(OptimizeError, match="would be more than"):
        spread({"huge": 1 << 30}, 3)
