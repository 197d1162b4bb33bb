"""Models are read without their weights, and all else is read as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from orchestrator.domain import Target
from orchestrator.errors import ConfigError
from orchestrator.pulsar2.preflight import check_model
from orchestrator.pulsar2.preflight.weightless import read_weightless

LARGE, SMALL = np.ones((100, 100), np.float32), np.arange(4, dtype=np.float32)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model with a large and a small initializer and a large Constant."""
    floats = helper.make_tensor("in_floats", TensorProto.FLOAT, [100, 100], LARGE.ravel())
    nodes = [
        helper.make_node("Constant", [], ["c"], name="held", value=numpy_helper.from_array(LARGE)),
        helper.make_node("MatMul", ["x", "large"], ["a"], name="first"),
        helper.make_node("MatMul", ["a", "c"], ["b"]),
        helper.make_node("MatMul", ["b", "in_floats"], ["d"]),
        helper.make_node("Selu", ["d"], ["y"], name="last"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 100])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 100])],
        [numpy_helper.from_array(LARGE, "large"), numpy_helper.from_array(SMALL, "small"), floats],
    )
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)
    return path


def test_weights_are_left_out_and_nothing_else(model: Path) -> None:
    content = read_weightless(model)
    assert model.stat().st_size > 100_000
    assert len(content) < 1_000

    whole, light = onnx.load(model), onnx.load_model_from_string(content)

    held = whole.graph.node[0].attribute[0].t
    for tensor in (*whole.graph.initializer, held):
        if tensor.name != "small":
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")
    assert light == whole


def test_a_model_is_checked_without_its_weights(model: Path) -> None:
    (found,) = check_model(model, Target("AX650", "NPU1"), "5.2", {})
    assert found.where == "last"


@pytest.mark.parametrize("share", [0.001, 0.3, 0.6, 0.9, 0.999])
def test_the_beginning_of_a_model_is_said_to_be_one(model: Path, share: float) -> None:
    content = model.read_bytes()
    model.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ConfigError, match="only the beginning of one"):
        check_model(model, Target("AX650", "NPU1"), "5.2", {})


def test_a_node_without_inputs_breaks_no_check(model: Path) -> None:
    whole = onnx.load(model)
    for op in ("Cast", "LayerNormalization", "PRelu", "Resize", "Gather", "Pow"):
        whole.graph.node.append(helper.make_node(op, ["y"], [f"of_{op}"]))
        del whole.graph.node[-1].input[:]
        whole.graph.node[-1].input.append("unknown")
    onnx.save(whole, model)
    assert "last" in {one.where for one in check_model(model, Target("AX650", "NPU1"), "5.2", {})}


def test_a_model_that_goes_in_circles_is_read_to_its_end(model: Path) -> None:
    whole = onnx.load(model)
    whole.graph.node.append(helper.make_node("Identity", ["p"], ["q"]))
    whole.graph.node.append(helper.make_node("Identity", ["q"], ["p"]))
    whole.graph.node.append(helper.make_node("Pow", ["x", "p"], ["r"], name="power"))
    whole.graph.output.append(helper.make_tensor_value_info("p", TensorProto.FLOAT, [1]))
    onnx.save(whole, model)
    found = check_model(model, Target("AX650", "NPU1"), "5.2", {})
    assert {"last", "power"} <= {one.where for one in found}
