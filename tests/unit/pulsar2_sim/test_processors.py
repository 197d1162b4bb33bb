"""What the processors of a config put before, after and into a model."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
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
MEAN, STD = [10.0, 20.0, 30.0], [40.0, 50.0, 60.0]


def _image(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def _params(bench: Bench) -> bytes:
    tensors = onnx.load(bench.axmodel).graph.initializer
    return next(bytes(t.raw_data) for t in tensors if t.name == "npu_params")


def _infer(bench: Bench, feed: NDArray[np.generic]) -> NDArray[np.generic]:
    session = fused_session(_params(bench))
    found: NDArray[np.generic] = session.run(None, {session.get_inputs()[0].name: feed})[0]
    return found


def _build(bench: Bench, **changes: object) -> None:
    ended = bench.build(bench.config() | changes)
    assert ended.code == 0, ended.err


def _refused(bench: Bench, **changes: object) -> str:
    ended = bench.build(bench.config() | changes)
    assert ended.code == 1
    return ended.last_line


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_padding_adds_to_the_runtime_input_what_slicing_takes_away(
    bench: Bench, layout: str
) -> None:
    processor: dict[str, object] = {"tensor_name": "pixel_values", "src_dtype": "U8"}
    processor |= {"src_layout": layout}
    bench.save_model(head="Relu")
    _build(bench, input_processors=[processor])
    image = _image((1, 16, 24, 3) if layout == "NHWC" else SHAPE)
    whole = _infer(bench, image)
    axes = (1, 2) if layout == "NHWC" else (2, 3)
    pads: list[tuple[int, int]] = [(0, 0)] * 4
    pads[axes[0]], pads[axes[1]] = (1, 2), (0, 3)
    ends = [size - high for size, (_, high) in zip(image.shape, pads, strict=True)]
    inner = image[tuple(slice(low, end) for (low, _), end in zip(pads, ends, strict=True))]
    filled = np.pad(inner, pads, constant_values=7)
    wanted_padded = _infer(bench, filled)

    margins = [0, 0, 0, 0, 1, 2, 0, 3]
    _build(
        bench,
        input_processors=[processor | {"padding": margins, "padding_constant_value": 7}],
    )
    padded = _infer(bench, np.ascontiguousarray(inner))
    _build(bench, input_processors=[processor | {"slicing": margins}])
    sliced = _infer(bench, np.pad(image, pads, constant_values=99))

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

    assert message in _refused(bench, input_processors=[entry])


def test_a_yuv_source_is_refused(bench: Bench) -> None:
    entry = {"tensor_name": "DEFAULT", "src_format": "YUV420SP", "csc_mode": "FullRange"}

    assert "the stand-in does not do src_format YUV420SP" in _refused(
        bench, input_processors=[entry]
    )


def test_an_output_is_given_as_it_is_quantized(bench: Bench) -> None:
    bench.save_model(head="Relu")
    _build(bench)
    image = _image((1, 16, 24, 3))
    floats = _infer(bench, image)

    _build(bench, output_processors=[{"tensor_name": "classes", "output_dtype": "U8"}])

    codes = _infer(bench, image)
    model = onnx.load_model_from_string(_params(bench))
    tensors = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    assert codes.dtype == np.uint8
    restored = codes.astype(np.float32) * tensors["classes_scale"]
    assert np.allclose(restored, floats, atol=1e-6)


@pytest.mark.parametrize(
    ("asked", "dtype"), [("", "int32"), ("U8", "uint8"), ("S32", "int32"), ("U16", "uint16")]
)
def test_classes_are_given_in_the_integers_asked_for(bench: Bench, asked: str, dtype: str) -> None:
    image = _image((1, 16, 24, 3))
    _build(bench)
    plain = _infer(bench, image)

    _build(bench, output_processors=[{"tensor_name": "DEFAULT", "output_dtype": asked or "FP32"}])

    classes = _infer(bench, image)
    assert classes.dtype == np.dtype(dtype)
    assert np.array_equal(classes, plain)


def test_an_output_dtype_that_the_layer_has_not_is_refused(bench: Bench) -> None:
    bench.save_model(head="Relu")

    message = _refused(bench, output_processors=[{"tensor_name": "classes", "output_dtype": "S16"}])

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

    _build(bench, input_processors=[], quant={"input_configs": [entry]})

    turned = _infer(bench, np.array([[1, 0, 1, 1]], np.uint8))
    assert turned.dtype == np.uint8
    assert turned.tolist() == [[0, 1, 0, 0]]


def _constant(bench: Bench, name: str) -> NDArray[np.generic]:
    model = onnx.load(bench.folder / "out" / "frontend" / "optimized.onnx")
    return next(numpy_helper.to_array(t) for t in model.graph.initializer if t.name == name)


@pytest.mark.parametrize("suffix", ["", ".bin", ".npy", ".txt"])
def test_a_constant_is_replaced(bench: Bench, suffix: str) -> None:
    values = np.array([1.5, -2, 0.25, 4], np.float32)
    path = bench.folder / f"bias{suffix}"
    entry: dict[str, object] = {"name": "b2"}
    entry |= {"data_path": str(path)} if suffix else {"data": values.tolist()}
    if suffix == ".bin":
        path.write_bytes(values.tobytes())
    elif suffix == ".npy":
        np.save(path, values)
    elif suffix == ".txt":
        np.savetxt(path, values)

    _build(bench, const_processors=[entry])

    assert np.array_equal(_constant(bench, "b2"), values)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "b3", "data": [1]}, "[b3] of const_processors is not in the model, near are b2"),
        ({"name": "b2", "data": [1, 2]}, "[b2] gives 2 value(s), it takes 4: float32 (4,)"),
        ({"name": "b2", "data_path": "values.csv"}, "values.csv is none of .bin, .npy, .txt"),
        ({"name": "b2", "data_path": "/none.npy"}, "FileNotFoundError: /none.npy"),
    ],
)
def test_a_constant_that_cannot_be_replaced_is_refused(
    bench: Bench, entry: dict[str, object], message: str
) -> None:
    assert message in _refused(bench, const_processors=[entry])


def _pooled(path: Path) -> None:
    """Give a pool whose height depends on its ceil_mode, and a Flatten behind it."""
    nodes = [
        helper.make_node(
            "MaxPool", ["pixel_values"], ["p"], name="pool", kernel_shape=[3, 3], strides=[2, 2]
        ),
        helper.make_node("Relu", ["p"], ["r"], name="act"),
        helper.make_node("Flatten", ["r"], ["classes"], name="flat"),
    ]
    graph = helper.make_graph(
        nodes,
        "pooled",
        [helper.make_tensor_value_info("pixel_values", 1, list(SHAPE))],
        [helper.make_tensor_value_info("classes", 1, [1, 231])],
    )
    opset = helper.make_opsetid("", 13)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)


@pytest.mark.parametrize("field", ["op_processors", "quant_op_processors"])
def test_an_attribute_is_patched(bench: Bench, field: str) -> None:
    _pooled(bench.folder / "model.onnx")
    image = _image((1, 16, 24, 3))
    _build(bench)
    plain = _infer(bench, image)

    _build(bench, **{field: [{"op_name": "pool", "attrs": {"ceil_mode": 1}}]})

    patched = _infer(bench, image)
    assert (plain.shape, patched.shape) == ((1, 231), (1, 288))


def test_op_processors_are_in_the_rewritten_model_and_quant_op_processors_are_not(
    bench: Bench,
) -> None:
    _pooled(bench.folder / "model.onnx")
    found = {}
    for field in ("op_processors", "quant_op_processors"):
        _build(bench, **{field: [{"op_name": "flat", "attrs": {"shape": [0, 3, 77]}}]})
        assert _infer(bench, _image((1, 16, 24, 3))).shape == (1, 3, 77)
        nodes = onnx.load(bench.folder / "out" / "frontend" / "optimized.onnx").graph.node
        found[field] = nodes[-1].op_type

    assert found == {"op_processors": "Reshape", "quant_op_processors": "Flatten"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"op_name": "pol", "attrs": {}}, "'[pol] of op_processors is not in the model, near are"),
        ({"op_name": "pool", "attrs": {"fmod": 0}}, "op MaxPool attr fmod does not exist"),
        ({"op_name": "pool", "attrs": {"ceil_mode": 0.5}}, "0.5 is no integer"),
    ],
)
def test_an_attribute_that_cannot_be_patched_is_refused(
    bench: Bench, entry: dict[str, object], message: str
) -> None:
    _pooled(bench.folder / "model.onnx")

    assert message in _refused(bench, op_processors=[entry])


def _objects(bench: Bench, held: object) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array(held, dtype=object), allow_pickle=True)
    bench.write_tar({"0.npy": buffer.getvalue()})


def _with_objects(bench: Bench) -> dict[str, object]:
    entry = bench.input_config(tensor_name="DEFAULT", calibration_format="NumpyObject")
    return {"quant": {"input_configs": [entry]}}


def test_a_dict_of_arrays_calibrates_as_its_arrays_do(bench: Bench) -> None:
    array = np.random.default_rng(4).normal(size=SHAPE).astype(np.float32)
    bench.write_tar({"0.npy": bench.npy(array)})
    _build(bench)
    plain = bench.axmodel.read_bytes()
    _objects(bench, {"pixel_values": array, "other": np.zeros(3)})

    _build(bench, **_with_objects(bench))

    assert bench.axmodel.read_bytes() == plain


def test_a_dict_without_the_input_is_refused(bench: Bench) -> None:
    _objects(bench, {"images": np.zeros(SHAPE, np.float32)})

    assert "has no [pixel_values], it has ['images']" in _refused(bench, **_with_objects(bench))


class _Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self._path,))


def test_a_dict_that_would_run_code_is_refused(bench: Bench) -> None:
    touched = bench.folder / "touched"
    _objects(bench, {"pixel_values": _Evil(touched)})
    pickle.dumps(_Evil(touched))  # it can be pickled: only reading it is the danger

    message = _refused(bench, **_with_objects(bench))

    assert "a pickle that asks for pathlib" in message
    assert not touched.exists()


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
        _build(bench, **changes)
        built.add(bench.axmodel.read_bytes())

    assert len(built) == 1
