"""Smooth quantization moves outlier channels into the weights and so makes the model better."""

from __future__ import annotations

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
CHANNELS = 24


def _net(*, outlier: float) -> onnx.ModelProto:
    """Give norm → q, k, v → attention → out, where one channel of the norm is far greater."""
    generator = np.random.default_rng(6)
    gamma = np.ones(CHANNELS, np.float32)
    gamma[5] = outlier
    constants = {
        "gamma": gamma,
        "beta": np.zeros(CHANNELS, np.float32),
        "w_out": (generator.normal(size=(4, 3, 1, 1)) / 2).astype(np.float32),
    } | {
        name: (generator.normal(size=(CHANNELS, CHANNELS)) / CHANNELS).astype(np.float32)
        for name in ("w_q", "w_k", "w_v")
    }
    nodes = [
        helper.make_node("LayerNormalization", ["x", "gamma", "beta"], ["n"], name="norm", axis=-1),
        helper.make_node("MatMul", ["n", "w_q"], ["q"], name="q"),
        helper.make_node("MatMul", ["n", "w_k"], ["k"], name="k"),
        helper.make_node("MatMul", ["n", "w_v"], ["v"], name="v"),
        helper.make_node("Transpose", ["k"], ["k_t"], name="turn", perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["q", "k_t"], ["scores"], name="scores"),
        helper.make_node("Softmax", ["scores"], ["shares"], name="softmax", axis=-1),
        helper.make_node("MatMul", ["shares", "v"], ["context"], name="context"),
        helper.make_node("Conv", ["context", "w_out"], ["y"], name="out"),
    ]
    graph = helper.make_graph(
        nodes,
        "attention",
        [helper.make_tensor_value_info("x", 1, list(SHAPE))],
        [helper.make_tensor_value_info("y", 1, [1, 4, 16, 24])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _arrays() -> list[NDArray[np.float32]]:
    generator = np.random.default_rng(3)
    return [generator.normal(size=SHAPE).astype(np.float32) for _ in range(3)]


@pytest.fixture
def net(bench: Bench) -> Bench:
    onnx.save(_net(outlier=80), bench.folder / "model.onnx")
    bench.write_tar({f"{index}.npy": bench.npy(array) for index, array in enumerate(_arrays())})
    return bench


def _build(net: Bench, **quant: object) -> str:
    entry = net.input_config(tensor_name="x", calibration_mean=[], calibration_std=[])
    config = net.config(input_processors=[], quant={"input_configs": [entry]} | quant)
    ended = net.build(config)
    assert ended.code == 0, ended.err
    return ended.out + ended.err


def _error(net: Bench) -> float:
    built = fused_session(net.runtime)
    reference = fused_session((net.folder / "model.onnx").read_bytes())
    return float(
        np.mean(
            [
                np.mean((built.run(None, {"x": a})[0] - reference.run(None, {"x": a})[0]) ** 2)
                for a in _arrays()
            ]
        )
    )


def _smoothed(net: Bench) -> list[str]:
    model = onnx.load(net.folder / "out" / "quant" / "quant_axmodel.onnx")
    return [node.input[0] for node in model.graph.node if node.name.endswith("_smooth")]


def test_outliers_cost_less_with_smooth_quant(net: Bench) -> None:
    _build(net)
    plain = _error(net)

    _build(net, enable_smooth_quant=True, smooth_quant_threshold=1)

    assert _error(net) < 0.7 * plain


def test_the_log_has_the_vendors_lines_in_order(net: Bench) -> None:
    log = _build(net, enable_smooth_quant=True)

    assert "Enable Smooth Quant, this pass is used for outlier activation." in log
    labels = (
        "Analysing Smooth Quantization Error(Phrase 1): 100%",
        "Get Outlier Progress: 100%",
        "Analysing Smooth Quantization Error(Phrase 2): 100%",
        "Calibration Progress(Phase 1): 100%",
    )
    places = [log.index(label) for label in labels]
    assert places == sorted(places)


def test_the_threshold_decides_how_many_take_part_and_outliers_come_first(net: Bench) -> None:
    _build(net, enable_smooth_quant=True, smooth_quant_threshold=0.5)
    some = _smoothed(net)

    _build(net, enable_smooth_quant=True, smooth_quant_threshold=1)

    assert some == ["n"]  # once, for all three who read it
    assert sorted(_smoothed(net)) == ["context", "n"]


def test_the_strength_decides_how_much_goes_into_the_weights(net: Bench) -> None:
    spread = {}
    for strength in (0.2, 0.9):
        _build(net, enable_smooth_quant=True, smooth_quant_strength=strength)
        model = onnx.load(net.folder / "out" / "quant" / "quant_axmodel.onnx")
        tensors = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        factors = tensors["n_smooth_factors"]
        spread[strength] = float(factors.max() / factors.min())

    assert spread[0.9] > 5 * spread[0.2]


def test_without_it_nothing_is_smoothed(net: Bench) -> None:
    log = _build(net, smooth_quant_threshold=1)

    assert "Smooth Quant" not in log
    assert not _smoothed(net)


def test_smoothing_alone_changes_no_result(net: Bench) -> None:
    wide = [{"start_tensor_names": ["DEFAULT"], "end_tensor_names": ["DEFAULT"]}]
    entries = [wide[0] | {"data_type": "U16", "weight_data_type": "FP32"}]
    _build(net, layer_configs=entries)
    plain = _error(net)

    _build(net, layer_configs=entries, enable_smooth_quant=True, smooth_quant_threshold=1)

    assert _error(net) == pytest.approx(plain, abs=1e-6)


def test_every_layer_can_be_analysed_after_smoothing(net: Bench) -> None:
    _build(net, enable_smooth_quant=True, smooth_quant_threshold=1, precision_analysis=True)

    table = net.folder / "out" / "quant" / "debug" / "precision_analysis_table.txt"
    rows = [
        line.strip("│").split("│")
        for line in table.read_text(encoding="utf-8").splitlines()
        if line.startswith("│")
    ]
    assert {"norm", "q", "k", "v"} <= {row[0].strip() for row in rows}
    assert min(float(row[6]) for row in rows) > 0.98


def test_the_same_settings_give_the_same_bytes(net: Bench) -> None:
    _build(net, enable_smooth_quant=True)
    first = net.axmodel.read_bytes()

    _build(net, enable_smooth_quant=True)

    assert net.axmodel.read_bytes() == first
