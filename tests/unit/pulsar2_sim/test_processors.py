"""What the processors of a config put before, after and into a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from tests.unit.pulsar2_sim.conftest import Bench

SHAPE = (1, 3, 16, 24)


def _image(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_padding_adds_to_the_runtime_input_what_slicing_takes_away(
    bench: Bench, layout: str
) -> None:
    processor: dict[str, object] = {"tensor_name": "pixel_values", "src_dtype": "U8"}
    processor |= {"src_layout": layout}
    bench.save_model(head="Relu")
    bench.built(input_processors=[processor])
    image = _image((1, 16, 24, 3) if layout == "NHWC" else SHAPE)
    whole = bench.infer(image)
    axes = (1, 2) if layout == "NHWC" else (2, 3)
    pads: list[tuple[int, int]] = [(0, 0)] * 4
    pads[axes[0]], pads[axes[1]] = (1, 2), (0, 3)
    ends = [size - high for size, (_, high) in zip(image.shape, pads, strict=True)]
    inner = image[tuple(slice(low, end) for (low, _), end in zip(pads, ends, strict=True))]
    filled = np.pad(inner, pads, constant_values=7)
    wanted_padded = bench.infer(filled)

    margins = [0, 0, 0, 0, 1, 2, 0, 3]
    bench.built(
        input_processors=[processor | {"padding": margins, "padding_constant_value": 7}],
    )
    padded = bench.infer(np.ascontiguousarray(inner))
    bench.built(input_processors=[processor | {"slicing": margins}])
    sliced = bench.infer(np.pad(image, pads, constant_values=99))

    assert np.array_equal(padded, wanted_padded)
    assert np.array_equal(sliced, whole)


@pytest.mark.parametrize(
    ("margins", "message"),
    [
        ({"padding": [1, 1]}, "padding has 2 number(s), 4 axes take 8"),
        ({"slicing": [0, 0, 0]}, "is no start and end of each axis"),
        ({"padding": [0, 0, 0, 0, 8, 8, 0, 0]}, "leaves (1, 3, 0, 24)"),
        ({"padding": [0] * 8, "padding_mode": "edge"}, "padding_mode edge is not constant"),
    ],
)
def test_margins_that_do_not_fit_are_refused(
    bench: Bench, margins: dict[str, object], message: str
) -> None:
    entry = {"tensor_name": "pixel_values"} | margins

    assert message in bench.refused(input_processors=[entry])


def test_a_yuv_source_is_refused(bench: Bench) -> None:
    entry = {"tensor_name": "DEFAULT", "src_format": "YUV420SP", "csc_mode": "FullRange"}

    assert "the stand-in does not do src_format YUV420SP" in bench.refused(input_processors=[entry])


def test_an_output_is_given_as_it_is_quantized(bench: Bench) -> None:
    bench.save_model(head="Relu")
    bench.built()
    image = _image((1, 16, 24, 3))
    floats = bench.infer(image)

    bench.built(output_processors=[{"tensor_name": "classes", "output_dtype": "U8"}])

    codes = bench.infer(image)
    model = onnx.load_model_from_string(bench.runtime)
    tensors = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    assert codes.dtype == np.uint8
    restored = codes.astype(np.float32) * tensors["classes_scale"]
    assert np.allclose(restored, floats, atol=1e-6)


@pytest.mark.parametrize(
    ("asked", "dtype"), [("", "int32"), ("U8", "uint8"), ("S32", "int32"), ("U16", "uint16")]
)
def test_classes_are_given_in_the_integers_asked_for(bench: Bench, asked: str, dtype: str) -> None:
    image = _image((1, 16, 24, 3))
    bench.built()
    plain = bench.infer(image)

    bench.built(output_processors=[{"tensor_name": "DEFAULT", "output_dtype": asked or "FP32"}])

    classes = bench.infer(image)
    assert classes.dtype == np.dtype(dtype)
    assert np.array_equal(classes, plain)


def test_an_output_dtype_that_the_layer_has_not_is_refused(bench: Bench) -> None:
    bench.save_model(head="Relu")

    message = bench.refused(output_processors=[{"tensor_name": "classes", "output_dtype": "S16"}])

    assert "[classes] is int16, it is quantized to uint8: set output_data_type" in message


def test_a_bool_input_and_output_are_bytes_at_run_time(bench: Bench) -> None:
    graph = helper.make_graph(
        [helper.make_node("Not", ["mask"], ["turned"], name="turn")],
        "mask",
        [helper.make_tensor_value_info("mask", onnx.TensorProto.BOOL, [1, 4])],
        [helper.make_tensor_value_info("turned", onnx.TensorProto.BOOL, [1, 4])],
    )
    opset = helper.make_opsetid("", 13)
    onnx.save(
        helper.make_model(graph, opset_imports=[opset], ir_version=8), bench.folder / "model.onnx"
    )
    bench.write_tar({"0.npy": bench.npy(np.array([[True, False, True, False]]))})
    entry = bench.input_config(tensor_name="mask", calibration_mean=[], calibration_std=[])

    bench.built(input_processors=[], quant={"input_configs": [entry]})

    turned = bench.infer(np.array([[1, 0, 1, 1]], np.uint8))
    assert turned.dtype == np.uint8
    assert turned.tolist() == [[0, 1, 0, 0]]


def test_the_same_processors_give_the_same_bytes(bench: Bench) -> None:
    changes: dict[str, object] = {
        "const_processors": [{"name": "b2", "data": [1, 2, 3, 4]}],
        "output_processors": [{"tensor_name": "DEFAULT", "output_dtype": "U8"}],
        "input_processors": [
            {"tensor_name": "DEFAULT", "padding": [0, 0, 0, 0, 1, 1, 2, 2], "src_dtype": "U8"}
        ],
    }
    built = set()
    for _ in range(2):
        bench.built(**changes)
        built.add(bench.axmodel.read_bytes())

    assert len(built) == 1
