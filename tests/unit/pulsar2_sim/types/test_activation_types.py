"""Settings for the whole model change its types, and mixed types are computed rightly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from containers.pulsar2_sim.run import fused_session
from containers.pulsar2_sim.stepping import unfused_session

if TYPE_CHECKING:
    from tests.unit.pulsar2_sim.types.conftest import Net

Quant = Mapping[str, object]


def test_highest_mix_precision_makes_every_activation_u16(net: Net) -> None:
    net.build()
    narrow = net.error()

    net.build(highest_mix_precision=True)

    reads = net.reads()
    assert {reads[name][0] for name in ("conv1", "conv2", "sum", "project", "last")} == {"U16"}
    assert net.error() < narrow / 2


@pytest.mark.parametrize(("level", "kind"), [(0, "FP32"), (1, "U16"), (2, "U8")])
def test_the_transformer_level_sets_the_type_of_the_softmax(
    net: Net, level: int, kind: str
) -> None:
    ended = net.bench.build(net.config({"transformer_opt_level": level}))

    assert ended.code == 0, ended.err
    assert net.reads()["softmax"] == [kind]
    assert net.made("shares") == ("FP32" if level == 0 else kind)
    assert f"Transformer optimize level: {level}" in ended.out


def test_a_float_bias_stays_as_it_is(net: Net) -> None:
    net.build(conv_bias_data_type="FP32")

    assert net.reads()["conv2"] == ["U8", "S8", "FP32"]


def test_a_weak_channel_is_scaled_as_if_it_reached_the_threshold(net: Net) -> None:
    model = net.model
    (weights,) = (t for t in model.graph.initializer if t.name == "w2")
    array = numpy_helper.to_array(weights).copy()
    array[0] = 1e-9
    weights.CopyFrom(numpy_helper.from_array(array, "w2"))
    onnx.save(model, net.bench.folder / "model.onnx")

    smallest = {}
    for threshold in (1e-5, -1):
        net.build(refine_weight_threshold=threshold, conv_bias_data_type="FP32")
        tensors = {t.name: numpy_helper.to_array(t) for t in net.quantized().graph.initializer}
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
def test_fused_kernels_give_what_the_nodes_give_one_by_one(net: Net, quant: Quant) -> None:
    net.build(**quant)

    fused = fused_session(net.bench.runtime)
    plain = unfused_session(onnx.load_model_from_string(net.bench.runtime))
    for array in net.arrays:
        quick, slow = (session.run(None, {"x": array})[0] for session in (fused, plain))
        assert np.abs(quick - slow).max() <= 0.03 * np.abs(slow).max()


@pytest.mark.parametrize("quant", SETTINGS)
def test_the_same_settings_give_the_same_bytes(net: Net, quant: Quant) -> None:
    net.build(**quant)
    first = net.bench.axmodel.read_bytes()

    net.build(**quant)

    assert net.bench.axmodel.read_bytes() == first


@pytest.mark.parametrize("quant", SETTINGS)
def test_every_layer_can_be_analysed_whatever_its_type(net: Net, quant: Quant) -> None:
    log = net.build(precision_analysis=True, **quant)

    table = net.bench.folder / "out" / "quant" / "debug" / "precision_analysis_table.txt"
    rows = [
        line.strip("│").split("│")
        for line in table.read_text(encoding="utf-8").splitlines()
        if line.startswith("│")
    ]
    assert min(float(row[6]) for row in rows) > 0.98, log
