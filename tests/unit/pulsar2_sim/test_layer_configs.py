"""Types of single layers, of all layers and of a transformer's parts change the quantized model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from containers.pulsar2_sim.run import fused_session

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


def test_without_settings_activations_are_u8_and_the_softmax_is_float(net: Bench) -> None:
    _build(net)

    reads = _reads(net)
    assert reads["conv1"] == reads["conv2"] == ["U8", "S8", "S32"]
    assert reads["project"] == ["U8", "S8"]
    assert reads["softmax"] == ["FP32"]
    assert "act" not in reads  # the range of conv1 stands for it


@pytest.mark.parametrize("selector", [{"layer_name": "conv2"}, {"layer_names": ["conv2"]}])
@pytest.mark.parametrize("kind", ["U8", "S8", "U16", "S16"])
def test_a_layer_reads_and_makes_the_type_it_was_given(
    net: Bench, selector: Quant, kind: str
) -> None:
    _build(net, layer_configs=[{**selector, "data_type": kind}])

    reads = _reads(net)
    assert reads["conv2"] == [kind, "S8", "S32"]
    assert _made(net, "c2") == kind
    assert reads["sum"] == ["U8", "U8"]
    assert reads["conv1"] == ["U8", "S8", "S32"]


@pytest.mark.parametrize("selector", [{"op_type": "Conv"}, {"op_types": ["Conv", "MatMul"]}])
def test_an_op_type_stands_for_all_its_layers(net: Bench, selector: Quant) -> None:
    _build(net, layer_configs=[{**selector, "data_type": "U16"}])

    reads = _reads(net)
    assert {reads[name][0] for name in ("conv1", "conv2", "last")} == {"U16"}
    assert reads["project"][0] == ("U16" if "op_types" in selector else "U8")


def test_between_tensors_only_what_lies_on_a_way_is_set(net: Bench) -> None:
    entry = {"start_tensor_names": ["r1"], "end_tensor_names": ["sum"], "data_type": "U16"}
    _build(net, layer_configs=[entry])

    reads = _reads(net)
    assert (reads["conv2"][0], reads["sum"]) == ("U16", ["U16", "U16"])
    assert reads["conv1"][0] == reads["project"][0] == "U8"


def test_default_to_default_is_the_whole_model(net: Bench) -> None:
    _build(net)
    narrow = _error(net)
    entry = {"start_tensor_names": ["DEFAULT"], "end_tensor_names": ["DEFAULT"]}

    _build(net, layer_configs=[entry | {"data_type": "U16"}])

    assert {kinds[0] for kinds in _reads(net).values()} == {"U16"}
    assert _error(net) < narrow / 2


def test_the_output_has_a_type_of_its_own(net: Bench) -> None:
    _build(net, layer_configs=[{"layer_name": "conv2", "output_data_type": "U16"}])

    assert _reads(net)["conv2"][0] == "U8"
    assert _made(net, "c2") == "U16"


def test_weights_stay_float_when_asked(net: Bench) -> None:
    _build(net, layer_configs=[{"layer_name": "conv2", "weight_data_type": "FP32"}])

    assert _reads(net)["conv2"] == ["U8", "FP32", "FP32"]


def test_a_later_entry_beats_an_earlier(net: Bench) -> None:
    entries = [
        {"op_type": "Conv", "data_type": "U16"},
        {"layer_name": "conv2", "data_type": "S8"},
    ]
    _build(net, layer_configs=entries)

    reads = _reads(net)
    assert (reads["conv1"][0], reads["conv2"][0]) == ("U16", "S8")


def test_fp32_is_honoured_where_the_vendor_does_and_ignored_elsewhere(net: Bench) -> None:
    log = _build(net, layer_configs=[{"op_types": ["Add", "Conv"], "data_type": "FP32"}])

    assert _made(net, "sum") == "FP32"
    assert _reads(net)["conv2"] == ["U8", "S8", "S32"]
    assert "layer_configs: FP32 is ignored for Conv: conv1, conv2, last" in log
    assert "ignored for Add" not in log


def test_an_unknown_name_is_named_with_its_neighbours(net: Bench) -> None:
    entries = [
        {"layer_name": "conv3", "data_type": "U16"},
        {"op_type": "Convolution", "data_type": "U16"},
        {"start_tensor_names": ["nothing"], "end_tensor_names": ["DEFAULT"], "data_type": "U16"},
    ]

    log = _build(net, layer_configs=entries)

    assert "there is no layer [conv3], near are conv2, conv1" in log
    assert "there is no op type [Convolution], near are Conv" in log
    assert "there is no tensor [nothing]" in log


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"layer_name": "conv1", "data_type": "FP16"}, "data_type FP16 is none of U8, S8, U16"),
        ({"layer_name": "conv1", "weight_data_type": "U8"}, "weight_data_type U8 is none of S8"),
        ({"layer_name": "conv1", "op_type": "Conv"}, "it takes one"),
        ({"data_type": "U16"}, "it takes one"),
        ({"start_tensor_names": ["x"], "data_type": "U16"}, "has only one of start_tensor_names"),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused(net: Bench, entry: Quant, message: str) -> None:
    ended = net.build(_config(net, {"layer_configs": [entry]}))

    assert ended.code == 1
    assert message in ended.last_line
    assert "quant.layer_configs[0]" in ended.last_line
