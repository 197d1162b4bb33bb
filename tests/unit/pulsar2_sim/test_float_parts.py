"""What stays in float stays there as a whole, and what is between is INT8."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnx
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tests.unit.pulsar2_sim.conftest import Bench


def test_layer_normalization_and_gelu_stay_in_float(bench: Bench) -> None:
    onnx.save(_normalised_gelu(), bench.folder / "model.onnx")

    assert bench.build().code == 0

    optimized = onnx.load(bench.folder / "out" / "frontend" / "optimized.onnx")
    kinds = [node.op_type for node in optimized.graph.node]
    assert kinds == ["LayerNormalization", "Mul", "Erf", "Add", "Mul", "Mul", "Conv"]
    quantized = onnx.load(bench.folder / "out" / "quant" / "quant_axmodel.onnx")
    makers = {name: node.op_type for node in quantized.graph.node for name in node.output}
    (erf,) = (node for node in quantized.graph.node if node.op_type == "Erf")
    (conv,) = (node for node in quantized.graph.node if node.op_type == "Conv")
    assert makers[erf.input[0]] == "Mul"
    assert makers[conv.input[0]] == "DequantizeLinear"


def _normalised_gelu() -> onnx.ModelProto:
    make = onnx.helper.make_node
    constants: dict[str, np.float32 | NDArray[np.float32]] = {
        "two": np.float32(2), "epsilon": np.float32(1e-5), "root": np.float32(2**0.5),
        "one": np.float32(1), "half": np.float32(0.5), "gamma": np.ones(24, np.float32),
        "beta": np.zeros(24, np.float32), "w": np.ones((4, 3, 1, 1), np.float32),
    }  # fmt: skip
    nodes = [
        make("ReduceMean", ["pixel_values"], ["mean"], axes=[-1]),
        make("Sub", ["pixel_values", "mean"], ["centred"]),
        make("Pow", ["centred", "two"], ["square"]),
        make("ReduceMean", ["square"], ["variance"], axes=[-1]),
        make("Add", ["variance", "epsilon"], ["shifted"]),
        make("Sqrt", ["shifted"], ["deviation"]),
        make("Div", ["centred", "deviation"], ["divided"]),
        make("Mul", ["divided", "gamma"], ["scaled"]),
        make("Add", ["scaled", "beta"], ["normal"]),
        make("Div", ["normal", "root"], ["inner"]),
        make("Erf", ["inner"], ["erf"]),
        make("Add", ["erf", "one"], ["gate"]),
        make("Mul", ["normal", "gate"], ["gated"]),
        make("Mul", ["gated", "half"], ["active"]),
        make("Conv", ["active", "w"], ["classes"]),
    ]
    return _one_block(nodes, constants)


def test_attention_scales_its_queries_and_keeps_its_scores_in_float(bench: Bench) -> None:
    onnx.save(_attention(), bench.folder / "model.onnx")

    assert bench.build().code == 0

    optimized = onnx.load(bench.folder / "out" / "frontend" / "optimized.onnx")
    onnx.checker.check_model(optimized, full_check=True)
    kinds = [node.op_type for node in optimized.graph.node]
    assert kinds == ["Transpose", "Mul", "MatMul", "Softmax", "MatMul", "Conv"]
    quantized = onnx.load(bench.folder / "out" / "quant" / "quant_axmodel.onnx")
    makers = {name: node.op_type for node in quantized.graph.node for name in node.output}
    (softmax,) = (node for node in quantized.graph.node if node.op_type == "Softmax")
    products = [node for node in quantized.graph.node if node.op_type == "MatMul"]
    assert makers[softmax.input[0]] == "MatMul"
    assert {makers[name] for node in products for name in node.input} == {"DequantizeLinear"}


def _attention() -> onnx.ModelProto:
    make = onnx.helper.make_node
    constants = {"root": np.array([4], np.float32), "w": np.ones((4, 3, 1, 1), np.float32)}
    nodes = [
        make("Transpose", ["pixel_values"], ["keys"], perm=[0, 1, 3, 2]),
        make("MatMul", ["pixel_values", "keys"], ["product"]),
        make("Div", ["product", "root"], ["scores"]),
        make("Softmax", ["scores"], ["weights"], axis=-1),
        make("MatMul", ["weights", "pixel_values"], ["context"]),
        make("Conv", ["context", "w"], ["classes"]),
    ]
    return _one_block(nodes, constants)


def _one_block(
    nodes: list[onnx.NodeProto], constants: Mapping[str, np.float32 | NDArray[np.float32]]
) -> onnx.ModelProto:
    graph = onnx.helper.make_graph(
        nodes,
        "block",
        [onnx.helper.make_tensor_value_info("pixel_values", 1, [1, 3, 16, 24])],
        [onnx.helper.make_tensor_value_info("classes", 1, [1, 4, 16, 24])],
        [onnx.numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    opset = onnx.helper.make_opsetid("", 11)
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=6)
