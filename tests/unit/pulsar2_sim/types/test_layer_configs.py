"""Types of single layers, of all layers and of a transformer's parts change the quantized model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.pulsar2_sim.types.conftest import Net

Quant = Mapping[str, object]


def test_without_settings_activations_are_u8_and_the_softmax_is_float(net: Net) -> None:
    net.build()

    reads = net.reads()
    assert reads["conv1"] == reads["conv2"] == ["U8", "S8", "S32"]
    assert reads["project"] == ["U8", "S8"]
    assert reads["softmax"] == ["FP32"]
    assert "act" not in reads  # the range of conv1 stands for it


@pytest.mark.parametrize("selector", [{"layer_name": "conv2"}, {"layer_names": ["conv2"]}])
@pytest.mark.parametrize("kind", ["U8", "S8", "U16", "S16"])
def test_a_layer_reads_and_makes_the_type_it_was_given(
    net: Net, selector: Quant, kind: str
) -> None:
    net.build(layer_configs=[{**selector, "data_type": kind}])

    reads = net.reads()
    assert reads["conv2"] == [kind, "S8", "S32"]
    assert net.made("c2") == kind
    assert reads["sum"] == ["U8", "U8"]
    assert reads["conv1"] == ["U8", "S8", "S32"]


@pytest.mark.parametrize("selector", [{"op_type": "Conv"}, {"op_types": ["Conv", "MatMul"]}])
def test_an_op_type_stands_for_all_its_layers(net: Net, selector: Quant) -> None:
    net.build(layer_configs=[{**selector, "data_type": "U16"}])

    reads = net.reads()
    assert {reads[name][0] for name in ("conv1", "conv2", "last")} == {"U16"}
    assert reads["project"][0] == ("U16" if "op_types" in selector else "U8")


def test_between_tensors_only_what_lies_on_a_way_is_set(net: Net) -> None:
    entry = {"start_tensor_names": ["r1"], "end_tensor_names": ["sum"], "data_type": "U16"}
    net.build(layer_configs=[entry])

    reads = net.reads()
    assert (reads["conv2"][0], reads["sum"]) == ("U16", ["U16", "U16"])
    assert reads["conv1"][0] == reads["project"][0] == "U8"


def test_default_to_default_is_the_whole_model(net: Net) -> None:
    net.build()
    narrow = net.error()
    entry = {"start_tensor_names": ["DEFAULT"], "end_tensor_names": ["DEFAULT"]}

    net.build(layer_configs=[entry | {"data_type": "U16"}])

    assert {kinds[0] for kinds in net.reads().values()} == {"U16"}
    assert net.error() < narrow / 2


def test_the_output_has_a_type_of_its_own(net: Net) -> None:
    net.build(layer_configs=[{"layer_name": "conv2", "output_data_type": "U16"}])

    assert net.reads()["conv2"][0] == "U8"
    assert net.made("c2") == "U16"


def test_weights_stay_float_when_asked(net: Net) -> None:
    net.build(layer_configs=[{"layer_name": "conv2", "weight_data_type": "FP32"}])

    assert net.reads()["conv2"] == ["U8", "FP32", "FP32"]


def test_a_later_entry_beats_an_earlier(net: Net) -> None:
    entries = [
        {"op_type": "Conv", "data_type": "U16"},
        {"layer_name": "conv2", "data_type": "S8"},
    ]
    net.build(layer_configs=entries)

    reads = net.reads()
    assert (reads["conv1"][0], reads["conv2"][0]) == ("U16", "S8")


def test_fp32_is_honoured_where_the_vendor_does_and_ignored_elsewhere(net: Net) -> None:
    log = net.build(layer_configs=[{"op_types": ["Add", "Conv"], "data_type": "FP32"}])

    assert net.made("sum") == "FP32"
    assert net.reads()["conv2"] == ["U8", "S8", "S32"]
    assert "layer_configs: FP32 is ignored for Conv: conv1, conv2, last" in log
    assert "ignored for Add" not in log


def test_an_unknown_name_is_named_with_its_neighbours(net: Net) -> None:
    entries = [
        {"layer_name": "conv3", "data_type": "U16"},
        {"op_type": "Convolution", "data_type": "U16"},
        {"start_tensor_names": ["nothing"], "end_tensor_names": ["DEFAULT"], "data_type": "U16"},
    ]

    log = net.build(layer_configs=entries)

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
def test_an_entry_that_makes_no_sense_is_refused(net: Net, entry: Quant, message: str) -> None:
    ended = net.bench.build(net.config({"layer_configs": [entry]}))

    assert ended.code == 1
    assert message in ended.last_line
    assert "quant.layer_configs[0]" in ended.last_line
