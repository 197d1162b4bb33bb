"""A precision analysis gives what a computation by hand gives."""

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from containers.pulsar2_sim.layers import layers
from containers.pulsar2_sim.precision_analysis import Row, analyse

Array = NDArray[np.float32]
SCALES = {"x": 0.05, "w": 0.25, "y": 0.1, "z": 0.5}


def _float_model(weight: Array) -> onnx.ModelProto:
    """Give z = relu(x @ w) + x."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["product"], name="product"),
            helper.make_node("Relu", ["product"], ["y"], name="relu"),
            helper.make_node("Add", ["y", "x"], ["z"], name="sum"),
        ],
        "float",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 4])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [4, 4])],
        [numpy_helper.from_array(weight, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _quantized_model(weight: Array) -> onnx.ModelProto:
    """Give the same with QuantizeLinear pairs, not in order, the Relu absorbed, z made by one."""

    def pair(before: str, after: str, scale: str) -> list[onnx.NodeProto]:
        constants = [f"{scale}_scale", f"{scale}_zero"]
        inner = f"{after}_inner"
        return [
            helper.make_node("QuantizeLinear", [before, *constants], [inner], name=f"{after}_q"),
            helper.make_node("DequantizeLinear", [inner, *constants], [after], name=f"{after}_dq"),
        ]

    constants = [numpy_helper.from_array(np.float32(v), f"{k}_scale") for k, v in SCALES.items()]
    constants += [numpy_helper.from_array(np.uint8(128), f"{k}_zero") for k in ("x", "z")]
    constants += [numpy_helper.from_array(np.uint8(0), "y_zero")]
    constants += [numpy_helper.from_array(np.int8(0), "w_zero")]
    whole = np.clip(np.rint(weight / SCALES["w"]), -128, 127).astype(np.int8)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x_seen", "w_seen"], ["product"], name="product"),
            helper.make_node("Add", ["y_seen", "x_seen"], ["z_raw"], name="sum"),
            *pair("x", "x_seen", "x"),
            *pair("product", "y_seen", "y"),
            *pair("z_raw", "z", "z"),
            helper.make_node("DequantizeLinear", ["w_whole", "w_scale", "w_zero"], ["w_seen"]),
        ],
        "quantized",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 4])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [4, 4])],
        [*constants, numpy_helper.from_array(whole, "w_whole")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _rounded(array: Array, name: str, low: int, high: int) -> Array:
    scale = np.float32(SCALES[name])
    whole = np.clip(np.rint(array / scale), low, high)
    seen: Array = (whole * scale).astype(np.float32)
    return seen


def _wanted(exact: Array, seen: Array) -> tuple[float, float]:
    one, other = exact.astype(np.float64).ravel(), seen.astype(np.float64).ravel()
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    return cosine, float(np.mean((one - other) ** 2))


def _data(count: int = 1) -> tuple[Array, list[Array]]:
    generator = np.random.default_rng(2)
    weight = generator.normal(size=(4, 4)).astype(np.float32)
    return weight, [generator.normal(size=(4, 4)).astype(np.float32) for _ in range(count)]


def _analyse(weight: Array, samples: list[Array], *, end_to_end: bool) -> list[Row]:
    return analyse(
        _float_model(weight),
        _quantized_model(weight),
        [{"x": sample} for sample in samples],
        end_to_end=end_to_end,
    )


def test_per_layer_gives_each_layer_the_float_tensors() -> None:
    weight, (x,) = _data()

    product, total, output = _analyse(weight, [x], end_to_end=False)

    y = np.maximum(x @ weight, 0)
    x_seen = _rounded(x, "x", -128, 127)
    y_seen = _rounded(x_seen @ _rounded(weight, "w", -128, 127), "y", 0, 255)
    z_seen = _rounded(_rounded(y, "y", 0, 255) + x_seen, "z", -128, 127)
    assert (product.operator, product.kind, product.tensor) == ("product", "AxQuantizedMatMul", "y")
    assert (product.cosine, product.mse) == pytest.approx(_wanted(y, y_seen), rel=1e-6)
    assert (total.operator, total.kind, total.quantized_dtype) == ("sum", "AxQuantizedAdd", "U8")
    assert (total.cosine, total.mse) == pytest.approx(_wanted(y + x, z_seen), rel=1e-6)
    assert (output.operator, output.tensor) == ("z_DequantizeLinear", "z")
    assert (output.kind, output.quantized_dtype) == ("AxDequantizeLinear", "FP32")
    assert (output.cosine, output.mse) == (total.cosine, total.mse)


def test_end_to_end_gives_each_layer_what_the_quantized_ones_have_made() -> None:
    weight, (x,) = _data()

    product, total, output = _analyse(weight, [x], end_to_end=True)

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    whole = onnxruntime.InferenceSession(
        _quantized_model(weight).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (z_seen,) = whole.run(["z"], {"x": x})
    wanted = _wanted(np.maximum(x @ weight, 0) + x, z_seen)
    assert (total.cosine, total.mse) == pytest.approx(wanted, rel=1e-6)
    assert (output.cosine, output.mse) == (total.cosine, total.mse)
    first, *others = _analyse(weight, [x], end_to_end=False)
    assert (product.cosine, product.mse) == (first.cosine, first.mse)
    assert others[0].mse != total.mse


def test_several_samples_count_as_one_long_tensor() -> None:
    weight, samples = _data(3)

    product, *_ = _analyse(weight, samples, end_to_end=False)

    exact = [np.maximum(x @ weight, 0) for x in samples]
    rounded = _rounded(weight, "w", -128, 127)
    seen = [_rounded(_rounded(x, "x", -128, 127) @ rounded, "y", 0, 255) for x in samples]
    wanted = _wanted(np.concatenate(exact), np.concatenate(seen))
    assert (product.cosine, product.mse) == pytest.approx(wanted, rel=1e-6)


def test_a_layer_that_quantization_has_not_touched_is_exact() -> None:
    weight, (x,) = _data()
    model = _float_model(weight)

    rows = analyse(model, model, [{"x": x}], end_to_end=False)

    assert [row.kind for row in rows] == ["AxMatMul", "AxRelu", "AxAdd"]
    assert [row.quantized_dtype for row in rows] == ["FP32"] * 3
    assert [row.mse for row in rows] == [0, 0, 0]
    assert [row.cosine for row in rows] == pytest.approx([1, 1, 1])


def test_a_node_that_quantization_has_added_belongs_to_the_layer_behind_it() -> None:
    weight, (x,) = _data()
    quantized = _quantized_model(weight)
    halves = [
        helper.make_node("Mul", ["x_seen", "half"], ["x_half"], name="added"),
        helper.make_node("Mul", ["x_half", "two"], ["x_again"], name="added too"),
    ]
    quantized.graph.node.extend(halves)
    for name, value in (("half", 0.5), ("two", 2.0)):
        quantized.graph.initializer.append(numpy_helper.from_array(np.float32(value), name))
    quantized.graph.node[0].input[0] = "x_again"

    rows = analyse(_float_model(weight), quantized, [{"x": x}], end_to_end=True)

    assert rows == _analyse(weight, [x], end_to_end=True)
    first = layers(_float_model(weight), quantized)[0]
    assert {"added", "added too"} <= {node.name for node in first.part}
