"""The work in a model: multiplications counted from its shapes, cycles estimated from them."""

import math
from collections.abc import Callable, Mapping

import onnx

from .model import shapes_of

#: The vendor's page shows 300,774,272 macs and 450,182 cycles for one MobileNetV2 on NPU1.
_MACS_PER_CYCLE = 300_774_272 / 450_182
_CORES = {"NPU1": 1, "NPU2": 2, "NPU3": 3, "NPU4": 4}

Shapes = Mapping[str, tuple[int, ...]]


def macs(model: onnx.ModelProto) -> int:
    """Count the multiplications of Conv, ConvTranspose, MatMul and Gemm nodes."""
    return sum(count for _, count in macs_by_node(model))


def macs_by_node(model: onnx.ModelProto) -> list[tuple[onnx.NodeProto, int]]:
    """Give every node with its multiplications; those of other op types are not counted."""
    shapes = shapes_of(model)
    return [
        (node, _COUNTS[node.op_type](node, shapes) if node.op_type in _COUNTS else 0)
        for node in model.graph.node
    ]


def cycles(count: int, npu_mode: str) -> int:
    """Estimate the cycles of a model: its macs at a fixed rate per core. It is no simulation."""
    return math.ceil(count / (_MACS_PER_CYCLE * _CORES[npu_mode]))


def _conv(node: onnx.NodeProto, shapes: Shapes) -> int:
    weight = shapes[node.input[1]]
    return math.prod(shapes[node.output[0]]) * math.prod(weight[1:])


def _conv_transpose(node: onnx.NodeProto, shapes: Shapes) -> int:
    weight = shapes[node.input[1]]
    return math.prod(shapes[node.input[0]]) * math.prod(weight[1:])


def _mat_mul(node: onnx.NodeProto, shapes: Shapes) -> int:
    return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]


def _gemm(node: onnx.NodeProto, shapes: Shapes) -> int:
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    inner = shapes[node.input[0]][0 if transposed else 1]
    return math.prod(shapes[node.output[0]]) * inner


_COUNTS: Mapping[str, Callable[[onnx.NodeProto, Shapes], int]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MatMul": _mat_mul,
    "Gemm": _gemm,
}
