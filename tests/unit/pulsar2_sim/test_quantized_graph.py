"""Underneath is a true INT8 quantization, and the axmodel computes what its graph computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from containers.pulsar2_sim.run import fused_session

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.pulsar2_sim.conftest import Bench

MEAN = np.array([123.675, 116.28, 103.53], np.float32)
STD = np.array([58.395, 57.12, 57.375], np.float32)


def _images(count: int) -> list[NDArray[np.uint8]]:
    generator = np.random.default_rng(11)
    return [generator.integers(0, 256, (1, 16, 24, 3), dtype=np.uint8) for _ in range(count)]


def _infer(model: bytes, feed: NDArray[np.generic]) -> NDArray[np.generic]:
    session = fused_session(model)
    found: NDArray[np.generic] = session.run(None, {session.get_inputs()[0].name: feed})[0]
    return found


def _params(axmodel: Path) -> bytes:
    tensors = onnx.load(axmodel).graph.initializer
    return next(bytes(t.raw_data) for t in tensors if t.name == "npu_params")


def _float_input(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    normalised: NDArray[np.float32] = ((image - MEAN) / STD).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(normalised, np.float32)


def test_weights_are_int8_and_logits_uint8(bench: Bench) -> None:
    assert bench.build().code == 0

    graph = onnx.load_model_from_string(_params(bench.axmodel)).graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    argmax = next(node for node in graph.node if node.op_type == "ArgMax")
    assert len(convolutions) == 2
    for node in convolutions:
        data, weight = (makers[name] for name in node.input[:2])
        assert data.op_type == weight.op_type == "DequantizeLinear"
        assert kinds[weight.input[0]] == onnx.TensorProto.INT8
        scales = next(t for t in graph.initializer if t.name == weight.input[1])
        assert scales.dims[0] > 1
    logits = makers[argmax.input[0]]
    assert kinds[logits.input[2]] == onnx.TensorProto.UINT8


@pytest.mark.parametrize("method", ["MinMax", "Percentile", "KL"])
def test_the_axmodel_agrees_with_the_float_model(bench: Bench, method: str) -> None:
    original = (bench.folder / "model.onnx").read_bytes()
    assert bench.build(None, "--quant.calibration_method", method).code == 0

    params = _params(bench.axmodel)
    same = [_infer(params, image) == _infer(original, _float_input(image)) for image in _images(4)]

    assert np.mean(same) > 0.9
    assert (bench.folder / "model.onnx").read_bytes() == original


def test_run_gives_what_the_embedded_graph_gives(bench: Bench) -> None:
    assert bench.build().code == 0
    images = _images(2)
    for index, image in enumerate(images):
        folder = bench.folder / "in" / str(index)
        folder.mkdir(parents=True)
        (folder / "pixel_values.bin").write_bytes(image.tobytes())
    (bench.folder / "list.txt").write_text("0\n1\n")

    ended = bench.pulsar2(
        "run", "--model", bench.axmodel, "--input_dir", bench.folder / "in",
        "--output_dir", bench.folder / "result", "--list", bench.folder / "list.txt",
    )  # fmt: skip

    assert ended.code == 0, ended.err
    assert [line for line in ended.out.splitlines() if line.startswith(">>>")] == [
        ">>> [0] start", ">>> [0] finish", ">>> [1] start", ">>> [1] finish",
    ]  # fmt: skip
    for index, image in enumerate(images):
        classes = np.fromfile(bench.folder / "result" / str(index) / "classes.bin", np.int32)
        wanted = _infer(_params(bench.axmodel), image)
        assert wanted.dtype == np.int32
        assert np.array_equal(classes, wanted.reshape(-1))


def test_run_takes_a_float_model_and_escapes_names(bench: Bench) -> None:
    model = onnx.load(bench.folder / "model.onnx")
    model.graph.input[0].name = model.graph.node[0].input[0] = "in/put:0"
    onnx.save(model, bench.folder / "model.onnx")
    feed = _float_input(_images(1)[0])
    (bench.folder / "in_put_0.bin").write_bytes(feed.tobytes())

    ended = bench.pulsar2(
        "run", "--model", bench.folder / "model.onnx",
        "--input_dir", bench.folder, "--output_dir", bench.folder,
    )  # fmt: skip

    assert ended.code == 0, ended.err
    classes = np.fromfile(bench.folder / "classes.bin", np.int64)
    assert np.array_equal(classes, _infer(model.SerializeToString(), feed).reshape(-1))


def test_run_refuses_an_input_of_the_wrong_size(bench: Bench) -> None:
    assert bench.build().code == 0
    (bench.folder / "pixel_values.bin").write_bytes(b"123")

    ended = bench.pulsar2("run", "--model", bench.axmodel, "--input_dir", bench.folder)

    assert ended.code == 1
    assert "has 3 bytes, [pixel_values] takes 1152: uint8 (1, 16, 24, 3)" in ended.last_line


def test_float_nchw_without_mean_passes_through(bench: Bench) -> None:
    entry = bench.input_config(calibration_mean=[], calibration_std=[])
    config = bench.config(input_processors=[], quant={"input_configs": [entry]})

    assert bench.build(config).code == 0

    feed = _float_input(_images(1)[0])
    quantized = (bench.folder / "out" / "quant" / "quant_axmodel.onnx").read_bytes()
    assert np.array_equal(_infer(_params(bench.axmodel), feed), _infer(quantized, feed))


def test_no_channel_is_swapped_and_the_log_says_so(bench: Bench) -> None:
    plain = bench.build()
    same = bench.axmodel.read_bytes()

    swapped = bench.build(bench.config(processor={"src_format": "BGR"}))

    assert (plain.code, swapped.code) == (0, 0)
    assert "does not include BGR2RGB, no conversion is performed" in swapped.err
    image = _images(1)[0]
    built = _infer(_params(bench.axmodel), image)
    bench.axmodel.write_bytes(same)
    assert np.array_equal(built, _infer(_params(bench.axmodel), image))


def test_an_output_is_permuted_as_asked(bench: Bench) -> None:
    bench.save_model(head="Relu")
    assert bench.build().code == 0
    image = _images(1)[0]
    straight = _infer(_params(bench.axmodel), image)
    perm = [0, 2, 3, 1]

    processors = [{"tensor_name": "DEFAULT", "dst_perm": perm}]
    assert bench.build(bench.config(output_processors=processors)).code == 0

    permuted = _infer(_params(bench.axmodel), image)
    assert permuted.dtype == np.float32
    assert np.array_equal(permuted, straight.transpose(perm))
