"""Layers with weights of every shape are quantized near to what they are in float."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from containers.pulsar2_sim.run import fused_session
from containers.pulsar2_sim.weights import quantized_bias, quantized_weights

if TYPE_CHECKING:
    from tests.unit.pulsar2_sim.conftest import Bench

Shape = tuple[int, ...]


def _layer(op_type: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op_type, ["x", "w", "b"], ["y"], name="layer", **attributes)


LAYERS: dict[str, tuple[onnx.NodeProto, Shape, Shape, Shape]] = {
    "conv": (_layer("Conv"), (1, 4, 6, 6), (8, 4, 3, 3), (8,)),
    "depthwise": (_layer("Conv", group=4), (1, 4, 6, 6), (4, 1, 3, 3), (4,)),
    "transposed": (_layer("ConvTranspose"), (1, 4, 6, 6), (4, 8, 2, 2), (8,)),
    "transposed groups": (_layer("ConvTranspose", group=2), (1, 4, 6, 6), (4, 3, 2, 2), (6,)),
    "gemm": (_layer("Gemm"), (5, 16), (16, 8), (8,)),
    "gemm, transposed": (_layer("Gemm", transB=1), (5, 16), (8, 16), (8,)),
    "gemm, one bias": (_layer("Gemm"), (5, 16), (16, 8), (1,)),
    "matmul": (_layer("MatMul"), (1, 5, 16), (16, 8), ()),
    "matmul, many": (_layer("MatMul"), (3, 5, 16), (3, 16, 8), ()),
}


def _model(name: str, generator: np.random.Generator) -> onnx.ModelProto:
    node, x, w, b = LAYERS[name]
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    arrays = {"w": generator.normal(size=w), "b": generator.normal(size=b)}
    if not b:
        del copy.input[2]
        del arrays["b"]
    graph = helper.make_graph(
        [copy],
        "layer",
        [helper.make_tensor_value_info("x", 1, x)],
        [helper.make_tensor_value_info("y", 1, None)],
        [numpy_helper.from_array(a.astype(np.float32), n) for n, a in arrays.items()],
    )
    opset = helper.make_opsetid("", 13)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


@pytest.mark.parametrize("kind", ["U8", "S8", "U16"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_gives_nearly_what_it_gives_in_float(bench: Bench, name: str, kind: str) -> None:
    generator = np.random.default_rng(1)
    model = _model(name, generator)
    onnx.save(model, bench.folder / "model.onnx")
    feed = generator.normal(size=LAYERS[name][1]).astype(np.float32)
    bench.write_tar({"0.npy": bench.npy(feed)})
    entry = bench.input_config(tensor_name="x", calibration_mean=[], calibration_std=[])
    quant = {
        "input_configs": [entry],
        "layer_configs": [{"layer_name": "layer", "data_type": kind}],
    }

    ended = bench.build(bench.config(input_processors=[], quant=quant))

    assert ended.code == 0, ended.err
    exact, rough = (
        fused_session(each).run(None, {"x": feed})[0]
        for each in (model.SerializeToString(), bench.runtime)
    )
    assert 0 < np.abs(exact - rough).max() < 0.03 * np.abs(exact).max()


def test_a_bias_too_great_for_its_scale_widens_the_scale() -> None:
    weights: NDArray[np.float32] = np.array([[1e-7, 1]], np.float32)  # one input, two channels
    bias = np.array([50, 50], np.float32)
    node = _layer("Gemm")

    found = quantized_weights(node, weights, threshold=1e-6, bias=bias, input_scale=1e-4)

    scales = (found.scales * np.float32(1e-4)).astype(np.float32)
    restored = quantized_bias(bias, scales) * scales
    assert np.allclose(restored, bias, rtol=1e-3)
    assert found.scales[1] == np.float32(1 / 127)
