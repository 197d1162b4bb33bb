"""Each calibration method cuts a tensor's range in its own way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from containers.pulsar2_sim import observe
from containers.pulsar2_sim.clipping import BINS, Histogram, clipped
from containers.pulsar2_sim.scales import integers, scale_of

if TYPE_CHECKING:
    from tests.unit.pulsar2_sim.conftest import Bench

METHODS = ("MinMax", "Percentile", "MSE", "KL")


def _histogram(values: NDArray[np.float64]) -> Histogram:
    low, high = float(values.min()), float(values.max())
    counts = np.histogram(values, BINS, (low, high))[0]
    return Histogram(counts, low, high, int(np.sum(values == 0)))


def _squared_error(values: NDArray[np.float64], low: float, high: float, kind: str) -> float:
    scale = scale_of(low, high, kind)
    restored = (integers(values, scale).astype(np.float64) - scale.zero) * float(scale.scale)
    return float(np.mean((values - restored) ** 2))


def _with_outliers(*, one_sided: bool = False) -> NDArray[np.float64]:
    generator = np.random.default_rng(1)
    values = np.concatenate([generator.normal(size=200_000), [20.0, -15.0]])
    return np.maximum(values, 0) if one_sided else values


@pytest.mark.parametrize("kind", ["U8", "S8"])
@pytest.mark.parametrize("one_sided", [True, False])
def test_mse_has_the_smallest_squared_error_of_all(kind: str, one_sided: bool) -> None:  # noqa: FBT001 - a case of the table
    values = _with_outliers(one_sided=one_sided)
    histogram = _histogram(values)

    errors = {
        method: _squared_error(values, *clipped(histogram, method, kind), kind)
        for method in ("Percentile", "MSE", "KL")
    }

    assert min(errors, key=errors.__getitem__) == "MSE"
    assert errors["MSE"] < 0.9 * _squared_error(values, values.min(), values.max(), kind)


def test_mse_finds_nearly_the_best_of_a_fine_grid() -> None:
    values = _with_outliers()[-20_000:]
    shares = np.linspace(0.1, 1, 19)
    best = min(
        _squared_error(values, low * values.min(), high * values.max(), "U8")
        for low in shares
        for high in shares
    )

    found = _squared_error(values, *clipped(_histogram(values), "MSE", "U8"), "U8")

    assert found <= 1.05 * best


def test_sixteen_bits_are_cut_less_than_eight() -> None:
    histogram = _histogram(_with_outliers())

    wide = {kind: clipped(histogram, "MSE", kind)[1] for kind in ("U8", "U16")}

    assert wide["U8"] < 16
    assert wide["U16"] > 19
    assert clipped(histogram, "KL", "U16") == (histogram.low, histogram.high)


def test_percentile_leaves_out_as_many_values_as_it_says() -> None:
    values = _with_outliers()

    low, high = clipped(_histogram(values), "Percentile", "U8")

    assert 0.5e-4 < np.mean((values < low) | (values > high)) <= 1.1e-4


def test_kl_keeps_the_values_and_cuts_the_outliers() -> None:
    values = _with_outliers()

    low, high = clipped(_histogram(values), "KL", "U8")

    assert 3 < high < 12
    assert -12 < low < -2


@pytest.mark.parametrize("method", ["Percentile", "MSE", "KL"])
def test_a_tensor_of_one_value_keeps_its_range(method: str) -> None:
    histogram = Histogram(np.zeros(BINS, np.int64), 2.0, 2.0, 0)

    assert clipped(histogram, method, "U8") == (2.0, 2.0)


def _net() -> onnx.ModelProto:
    weights = np.random.default_rng(4).normal(size=(5, 3, 1, 1)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("Sigmoid", ["c"], ["s"], name="gate"),
        helper.make_node("Mul", ["c", "s"], ["y"], name="mul"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", 1, [1, 3, 16, 24])],
        [helper.make_tensor_value_info("y", 1, [1, 5, 16, 24])],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.fixture
def net(bench: Bench) -> Bench:
    """Give a net whose samples have one great outlier."""
    onnx.save(_net(), bench.folder / "model.onnx")
    generator = np.random.default_rng(8)
    arrays = [generator.normal(size=(1, 3, 16, 24)).astype(np.float32) for _ in range(24)]
    arrays[1][0, 0, 0, 0] = 60
    bench.write_tar({f"{index}.npy": bench.npy(array) for index, array in enumerate(arrays)})
    return bench


def _config(net: Bench, **quant: object) -> dict[str, object]:
    entry = net.input_config(
        tensor_name="x", calibration_mean=[], calibration_std=[], calibration_size=-1
    )
    return net.config(input_processors=[], quant={"input_configs": [entry]} | quant)


def _scale(net: Bench, tensor: str) -> float:
    model = onnx.load(net.folder / "out" / "quant" / "quant_axmodel.onnx")
    tensors = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    return float(tensors[f"{tensor}_scale"])


def test_every_method_gives_other_scales_and_the_same_bytes_twice(net: Bench) -> None:
    scales = {}
    for method in METHODS:
        built = set()
        for _ in range(2):
            ended = net.build(_config(net, calibration_method=method))
            assert ended.code == 0, ended.err
            built.add(net.axmodel.read_bytes())
        assert len(built) == 1
        scales[method] = _scale(net, "x")

    assert scales["MinMax"] == pytest.approx((60 - -4) / 255, rel=0.05)
    assert max(scales, key=scales.__getitem__) == "MinMax"
    assert len(set(scales.values())) == 4


def test_memory_is_bounded_by_fetching_tensors_in_turns(
    net: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    net.build(_config(net, calibration_method="MSE"))
    at_once = net.axmodel.read_bytes()
    monkeypatch.setattr(observe, "CHUNK_BYTES", 4 * 5 * 16 * 24)

    ended = net.build(_config(net, calibration_method="MSE"))

    assert ended.code == 0, ended.err
    assert net.axmodel.read_bytes() == at_once
    assert re.search(r"Calibration Progress\(Phase 2\): 100%.* 96/96", ended.err)  # 4 tensors


def test_a_range_that_is_not_finite_is_refused(net: Bench) -> None:
    array = np.ones((1, 3, 16, 24), np.float32)
    array[0, 1, 2, 3] = np.inf
    net.write_tar({"0.npy": net.npy(array)})

    ended = net.build(_config(net))

    assert ended.code == 1
    assert "QuantError: 3" in ended.last_line
    assert "[x]: range 1 … inf is not finite" in ended.last_line
