"""Settings for the whole model change its types, and mixed types are computed rightly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from containers.pulsar2_sim.run import fused_session
from containers.pulsar2_sim.stepping import unfused_session

if TYPE_CHECKING:
    from tests.unit.pulsar2_sim.conftest import Bench

SHAPE = (1, 3, 16, 24)
KINDS = {"uint8": "U8", "int8": "S8", "uint16": "U16", "int16": "S16"}
Quant = Mapping[str, object]


def _net(*, opset: int = 13) -> onnx.ModelProto:
    """Give conv1 → act → conv2, added to conv1's output, and a softmax behind a projection."""
    generator = np.random.default_rng(5)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(generator.normal(size=shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], name="conv1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], name="act"),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], name="conv2"),
        helper.make_node("Add", ["r1", "c2"], ["sum"], name="sum"),
        helper.make_node("Transpose", ["sum"], ["turned"], name="turn", perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["turned", "w3"], ["scores"], name="project"),
        helper.make_node("Softmax", ["scores"], ["shares"], name="softmax", axis=-1),
        helper.make_node("Conv", ["shares", "w4"], ["y"], name="last"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", 1, list(SHAPE))],
        [helper.make_tensor_value_info("y", 1, [1, 4, 24, 6])],
        [
            weight("w1", 6, 3, 3, 3), weight("b1", 6), weight("w2", 6, 6, 1, 1), weight("b2", 6),
            weight("w3", 16, 6), weight("w4", 4, 6, 1, 1),
        ],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def _arrays() -> list[NDArray[np.float32]]:
    generator = np.random.default_rng(2)
    return [generator.normal(size=SHAPE).astype(np.float32) for _ in range(3)]


@pytest.fixture
def net(bench: Bench) -> Bench:
    onnx.save(_net(), bench.folder / "model.onnx")
    bench.write_tar({f"{index}.npy": bench.npy(array) for index, array in enumerate(_arrays())})
    return bench


def _build(net: Bench, **quant: object) -> str:
    """Build with these settings of `quant`; give the log."""
    ended = net.build(_config(net, quant))
    assert ended.code == 0, ended.err
    return ended.err


def _config(net: Bench, quant: Quant) -> dict[str, object]:
    entry = net.input_config(tensor_name="x", calibration_mean=[], calibration_std=[])
    return net.config(input_processors=[], quant={"input_configs": [entry]} | dict(quant))


def _quantized(net: Bench) -> onnx.ModelProto:
    return onnx.load(net.folder / "out" / "quant" / "quant_axmodel.onnx")


def _reads(net: Bench) -> dict[str, list[str]]:
    """Give for each layer the type in which it reads each of its inputs."""
    model = _quantized(net)
    makers = {name: node for node in model.graph.node for name in node.output}
    kinds = {t.name: numpy_helper.to_array(t).dtype.name for t in model.graph.initializer}

    def kind(name: str) -> str:
        maker = makers.get(name)
        if maker is None or maker.op_type != "DequantizeLinear":
            return "FP32"
        return KINDS.get(kinds[maker.input[2]], "S32")

    return {
        node.name: [kind(name) for name in node.input]
        for node in model.graph.node
        if "QuantizeLinear" not in node.op_type and "DequantizeLinear" not in node.op_type
    }


def _made(net: Bench, tensor: str) -> str:
    """Give the type of the pair behind the maker of a tensor."""
    model = _quantized(net)
    kinds = {t.name: numpy_helper.to_array(t).dtype.name for t in model.graph.initializer}
    found = [node for node in model.graph.node if node.name == f"{tensor}_QuantizeLinear"]
    return KINDS[kinds[found[0].input[2]]] if found else "FP32"


def _error(net: Bench) -> float:
    """Give the mean squared error of what the axmodel gives, against the float model."""
    reference = fused_session((net.folder / "model.onnx").read_bytes())
    built = fused_session(_runtime(net))
    errors = [
        np.mean((built.run(None, {"x": a})[0] - reference.run(None, {"x": a})[0]) ** 2)
        for a in _arrays()
    ]
    return float(np.mean(errors))


def _runtime(net: Bench) -> bytes:
    tensors = onnx.load(net.axmodel).graph.initializer
    return next(bytes(t.raw_data) for t in tensors if t.name == "npu_params")


def test_highest_mix_precision_makes_every_activation_u16(net: Bench) -> None:
    _build(net)
    narrow = _error(net)

    _build(net, highest_mix_precision=True)

    reads = _reads(net)
    assert {reads[name][0] for name in ("conv1", "conv2", "sum", "project", "last")} == {"U16"}
    assert _error(net) < narrow / 2


@pytest.mark.parametrize(("level", "kind"), [(0, "FP32"), (1, "U16"), (2, "U8")])
def test_the_transformer_level_sets_the_type_of_the_softmax(
    net: Bench, level: int, kind: str
) -> None:
    ended = net.build(_config(net, {"transformer_opt_level": level}))

    assert ended.code == 0, ended.err
    assert _reads(net)["softmax"] == [kind]
    assert _made(net, "shares") == ("FP32" if level == 0 else kind)
    assert f"Transformer optimize level: {level}" in ended.out


def test_a_float_bias_stays_as_it_is(net: Bench) -> None:
    _build(net, conv_bias_data_type="FP32")

    assert _reads(net)["conv2"] == ["U8", "S8", "FP32"]


def test_a_weak_channel_is_scaled_as_if_it_reached_the_threshold(net: Bench) -> None:
    model = _net()
    (weights,) = (t for t in model.graph.initializer if t.name == "w2")
    array = numpy_helper.to_array(weights).copy()
    array[0] = 1e-9
    weights.CopyFrom(numpy_helper.from_array(array, "w2"))
    onnx.save(model, net.folder / "model.onnx")

    smallest = {}
    for threshold in (1e-5, -1):
        _build(net, refine_weight_threshold=threshold, conv_bias_data_type="FP32")
        tensors = {t.name: numpy_helper.to_array(t) for t in _quantized(net).graph.initializer}
        smallest[threshold] = float(tensors["conv2_weights_scale"][0]) * 127

    assert smallest[1e-5] == pytest.approx(1e-5)
    assert smallest[-1] < 1e-6


SETTINGS: list[Quant] = [
    {"layer_configs": [{"op_type": "Conv", "data_type": "U16"}]},
    {"layer_configs": [{"op_type": "Conv", "data_type": "S16", "output_data_type": "U8"}]},
    {"layer_configs": [{"op_types": ["Add", "Softmax"], "data_type": "FP32"}]},
    {"layer_configs": [{"op_types": ["Transpose", "Relu"], "data_type": "S8"}]},
    {"highest_mix_precision": True, "conv_bias_data_type": "FP32"},
    {"transformer_opt_level": 1},
    {"transformer_opt_level": 2},
]


@pytest.mark.parametrize("quant", SETTINGS)
def test_fused_kernels_give_what_the_nodes_give_one_by_one(net: Bench, quant: Quant) -> None:
    _build(net, **quant)

    fused = fused_session(_runtime(net))
    plain = unfused_session(onnx.load_model_from_string(_runtime(net)))
    for array in _arrays():
        quick, slow = (session.run(None, {"x": array})[0] for session in (fused, plain))
        assert np.abs(quick - slow).max() <= 0.03 * np.abs(slow).max()


@pytest.mark.parametrize("quant", SETTINGS)
def test_the_same_settings_give_the_same_bytes(net: Bench, quant: Quant) -> None:
    _build(net, **quant)
    first = net.axmodel.read_bytes()

    _build(net, **quant)

    assert net.axmodel.read_bytes() == first


@pytest.mark.parametrize("quant", SETTINGS)
def test_every_layer_can_be_analysed_whatever_its_type(net: Bench, quant: Quant) -> None:
    log = _build(net, precision_analysis=True, **quant)

    table = net.folder / "out" / "quant" / "debug" / "precision_analysis_table.txt"
    rows = [
        line.strip("│").split("│")
        for line in table.read_text(encoding="utf-8").splitlines()
        if line.startswith("│")
    ]
    assert min(float(row[6]) for row in rows) > 0.98, log
