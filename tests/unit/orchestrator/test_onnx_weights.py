from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from orchestrator.onnx_weights import give_weights, take_weights

LARGE = (256, 256)


def model(*nodes: onnx.NodeProto, **weights: tuple[int, ...]) -> onnx.ModelProto:
    """A model of one input `x` and the output `y`, (1, 256)."""
    noise = np.random.default_rng(0)
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 256])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 256])],
        [
            numpy_helper.from_array(noise.normal(size=shape).astype(np.float32), name)
            for name, shape in weights.items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)


def names(values: object) -> list[str]:
    return [value.name for value in values]  # type: ignore[attr-defined] # onnx ships no types


def test_a_model_is_small_without_its_weights_and_itself_again_with_them() -> None:
    taken = model(helper.make_node("MatMul", ["x", "w"], ["y"]), w=LARGE)
    whole = taken.SerializeToString()

    weights = take_weights(taken)

    assert [*weights] == ["w"]
    assert taken.ByteSize() < 200
    assert names(taken.graph.input) == ["x", "w"]
    onnx.checker.check_model(taken, full_check=True)
    give_weights(taken, weights)
    assert taken.SerializeToString() == whole


def test_what_may_have_to_be_folded_stays() -> None:
    turned = model(
        helper.make_node("Transpose", ["w"], ["t"]),
        helper.make_node("MatMul", ["x", "t"], ["y"]),
        w=LARGE,
    )
    shared = model(
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("MatMul", ["a", "v"], ["b"]),
        helper.make_node("MatMul", ["w", "v"], ["c"]),
        helper.make_node("MatMul", ["b", "c"], ["y"]),
        w=LARGE,
        v=LARGE,
    )

    assert not take_weights(turned)
    assert [*take_weights(shared)] == ["v"]
    assert names(shared.graph.initializer) == ["w"]


def test_small_numbers_stay() -> None:
    assert not take_weights(model(helper.make_node("Conv", ["x", "w"], ["y"]), w=(8, 8, 3, 3)))


def test_weights_that_nothing_reads_any_more_do_not_come_back() -> None:
    taken = model(helper.make_node("MatMul", ["x", "w"], ["y"]), w=LARGE)
    weights = take_weights(taken)
    taken.graph.node[0].op_type = "Identity"
    del taken.graph.node[0].input[1:]

    give_weights(taken, weights)

    assert names(taken.graph.initializer) == []
    assert names(taken.graph.input) == ["x"]
