"""Models of one node, by operator and how it is drawn, and what is said of each."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

KERNEL = np.zeros((4, 4, 3, 3), np.float32)
WIDE = np.zeros((4, 1, 3, 3), np.float32)
SQUARE = np.zeros((8, 8), np.float32)
ROI = np.zeros((1, 4), np.float32)
LSTM = {
    "W": np.zeros((1, 16, 8), np.float32),
    "R": np.zeros((1, 16, 4), np.float32),
}


def _as(**row: object) -> dict[str, Any]:
    return row


#: (operator, how, check, message, advice)
REFUSED: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("ArgMax", _as(axis=1, select_last_index=1), "attribute", "select_last_index=1", ""),
    (
        "AveragePool",
        _as(kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        "attribute",
        "count_include_pad left out, which is 0",
        "count_include_pad=1",
    ),
    (
        "AveragePool",
        _as(kernel_shape=[3, 3], auto_pad="SAME_UPPER", count_include_pad=1),
        "attribute",
        "auto_pad=SAME_UPPER",
        "pads",
    ),
    ("Conv", _as(constants={"w": KERNEL}, auto_pad="SAME_LOWER"), "attribute", "auto_pad", "pads"),
    (
        "ConvTranspose",
        _as(constants={"w": KERNEL}, dilations=[2, 2]),
        "attribute",
        "dilations=2, 2; only 1",
        "zeros",
    ),
    (
        "ConvTranspose",
        _as(constants={"w": KERNEL}, output_shape=[16, 16]),
        "attribute",
        "output_shape is not supported",
        "pads",
    ),
    ("Cast", _as(to=TensorProto.INT64, made=TensorProto.INT64), "attribute", "to=INT64", "int32"),
    ("Cast", _as(to=TensorProto.BOOL, made=TensorProto.BOOL), "attribute", "to=BOOL", "int32"),
    ("DepthToSpace", _as(blocksize=2, mode="CRD"), "attribute", "mode=CRD", "DCR"),
    (
        "Gather",
        _as(constants={"i": np.array([[0, 1], [1, 0]])}),
        "operand",
        "of 2 dimensions",
        "flatten",
    ),
    (
        "Gemm",
        _as(shape=(8, 8), constants={"w": SQUARE}, alpha=0.5),
        "attribute",
        "alpha=0.5; only 1",
        "weights",
    ),
    (
        "Gemm",
        _as(shape=(8, 8), constants={"w": SQUARE, "c": SQUARE[0]}, beta=2.0),
        "attribute",
        "beta=2",
        "bias",
    ),
    (
        "LayerNormalization",
        _as(constants={"s": np.ones((8, 8), np.float32)}, opset=17, axis=2),
        "attribute",
        "axis=2; only the last axis",
        "transpose",
    ),
    ("LpNormalization", _as(axis=1), "attribute", "axis=1", ""),
    ("MaxPool", _as(kernel_shape=[3, 3], dilations=[2, 2]), "attribute", "dilations=2, 2", ""),
    ("MaxPool", _as(kernel_shape=[3, 3], storage_order=1), "attribute", "storage_order=1", ""),
    ("MaxPool", _as(kernel_shape=[3, 3], auto_pad="VALID"), "attribute", "auto_pad=VALID", "pads"),
    (
        "Pad",
        _as(constants={"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])}, mode="reflect"),
        "attribute",
        "mode=reflect",
        "constant",
    ),
    (
        "Pad",
        _as(
            constants={"p": np.array([1, 1]), "a": np.array([2])},
            inputs=("x", "p", "", "a"),
            opset=18,
        ),
        "operand",
        "input 3 is not supported",
        "all axes",
    ),
    ("Pow", _as(inputs=("x", "x")), "operand", "computed from the model's input", "constant"),
    (
        "Pow",
        _as(constants={"e": np.full(8, 2, np.float32)}),
        "operand",
        "of 8 numbers; it must be 1",
        "constant",
    ),
    (
        "PRelu",
        _as(constants={"s": np.ones((8, 8), np.float32)}),
        "operand",
        "slope of shape (8, 8)",
        "(1, 4, 1, 1)",
    ),
    (
        "ReduceSum",
        _as(noop_with_empty_axes=1),
        "attribute",
        "noop_with_empty_axes=1",
        "",
    ),
    ("Reshape", _as(inputs=("x", "shape")), "operand", "Reshape with shape", "onnxsim"),
    (
        "Resize",
        _as(constants={"r": ROI[:0], "s": np.array([1, 1, 2, 2], np.float32)}, mode="cubic"),
        "attribute",
        "mode=cubic",
        "bake",
    ),
    (
        "Resize",
        _as(
            constants={"r": ROI[:0], "s": np.array([1, 1, 1.5, 1.5], np.float32)},
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        ),
        "resize",
        "nearest_mode=floor",
        "round_prefer_ceil",
    ),
    (
        "Resize",
        _as(
            constants={"r": ROI[:0], "s": np.array([1, 1, 1, 9000], np.float32)},
            mode="linear",
        ),
        "resize",
        "axis 3 72000 long",
        "host",
    ),
    (
        "RoiAlign",
        _as(constants={"rois": ROI, "b": np.array([0])}),
        "attribute",
        "sampling_ratio left out, which is 0",
        "set it",
    ),
    (
        "LSTM",
        _as(shape=(5, 1, 8), constants=LSTM, hidden_size=4, opset=14, clip=1.0),
        "attribute",
        "clip is not supported",
        "",
    ),
    (
        "LSTM",
        _as(shape=(1, 5, 8), constants=LSTM, hidden_size=4, opset=14, layout=1),
        "attribute",
        "layout=1",
        "batch_first",
    ),
    ("IsNaN", _as(made=TensorProto.BOOL), "operator", "cannot read IsNaN", "eager"),
    ("NonZero", _as(made=TensorProto.INT64), "operator", "AX650 has no NonZero", "mask"),
    ("Einsum", _as(equation="nchw->nc"), "operator", "cannot read Einsum", "MatMul"),
    ("Mod", _as(inputs=("x", "x"), fmod=1), "operator", "cannot read Mod", "decode head"),
    ("Reciprocal", _as(), "operator", "cannot read Reciprocal", "Div"),
    ("Sign", _as(), "operator", "AX650 has no Sign", "Greater"),
    ("Selu", _as(), "operator", "AX650 has no Selu", "host"),
    (
        "FastGelu",
        _as(domain="com.microsoft"),
        "domain",
        "FastGelu is of com.microsoft",
        "onnxruntime",
    ),
]

TAKEN: list[tuple[str, dict[str, Any]]] = [
    ("AveragePool", _as(kernel_shape=[2, 2])),
    ("AveragePool", _as(kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)),
    ("Cast", _as(to=TensorProto.INT32, made=TensorProto.INT32)),
    ("Cast", _as(to=TensorProto.FLOAT)),
    ("Conv", _as(constants={"w": KERNEL}, pads=[1, 1, 1, 1], dilations=[2, 2])),
    ("DepthToSpace", _as(blocksize=2)),
    ("Gather", _as(constants={"i": np.array(0)}, axis=1)),
    ("Gather", _as(constants={"i": np.array([0, 1])}, axis=1)),
    ("Gemm", _as(shape=(8, 8), constants={"w": SQUARE}, alpha=1.0, beta=1.0, transB=1)),
    ("LayerNormalization", _as(constants={"s": np.ones(8, np.float32)}, opset=17)),
    ("LayerNormalization", _as(constants={"s": np.ones(8, np.float32)}, opset=17, axis=3)),
    ("PRelu", _as(constants={"s": np.ones((1, 4, 1, 1), np.float32)})),
    ("Pow", _as(constants={"e": np.float32(2)})),
    ("Reshape", _as(constants={"shape": np.array([1, -1])})),
]

#: (operator, how, check, message)
DOUBTED: list[tuple[str, dict[str, Any], str, str]] = [
    ("Pow", _as(constants={"e": np.float32(3)}), "operand", "e = 3"),
    ("LeakyRelu", _as(), "attribute", "alpha left out was seen to crash"),
    ("Elu", _as(), "attribute", "alpha left out"),
    ("Xor", _as(inputs=("x", "x"), kind=9, made=9), "operator", "seen to fail with 6.0"),
    ("PRelu", _as(constants={"s": np.ones((4, 1, 1), np.float32)}), "operand", "slope of shape"),
    (
        "Gather",
        _as(constants={"i": np.array([[3, 1, 2]])}),
        "operand",
        "of 2 dimensions; at most 1",
    ),
    (
        "Conv",
        _as(constants={"w": WIDE}, group=4, dilations=[2, 2]),
        "attribute",
        "low efficiency",
    ),
    (
        "Resize",
        _as(
            constants={"r": ROI[:0], "s": np.array([1, 1, 2, 2], np.float32)},
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        ),
        "resize",
        "nearest_mode=floor",
    ),
]
