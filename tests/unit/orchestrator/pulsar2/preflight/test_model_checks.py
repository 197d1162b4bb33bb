"""The file, its shapes and types, the target: what is no matter of a single operator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from orchestrator.domain import Json, Target, TensorSpec
from orchestrator.errors import ConfigError
from orchestrator.pulsar2.preflight import Finding, check_model
from orchestrator.pulsar2.preflight.model import look_at

Draw = Callable[..., Path]
AX650 = Target("AX650", "NPU3")


def look(
    path: Path,
    config: dict[str, Json] | None = None,
    target: Target = AX650,
    version: str = "5.2",
) -> tuple[Finding, ...]:
    return check_model(path, target, version, config or {})


def shaped(name: str) -> dict[str, Json]:
    """A config that fixes shapes and calibrates everything."""
    every: Json = {"tensor_name": "DEFAULT", "calibration_dataset": "a.tar"}
    return {"input_shapes": name, "quant": {"input_configs": [every]}}


def one(findings: tuple[Finding, ...]) -> Finding:
    (found,) = findings
    return found


def test_a_dynamic_axis_is_refused_by_its_name(draw: Draw) -> None:
    found = one(look(draw("Relu", shape=("batch", 3, 224, 224))))
    assert (found.level, found.check, found.where) == ("refuse", "shape", "input x")
    assert "axis 0 (batch) is not fixed" in found.message
    assert '"x:1x3x224x224"' in found.advice


def test_each_dynamic_axis_is_named(draw: Draw) -> None:
    found = look(draw("Relu", shape=(1, 3, "height", 0)))
    assert [finding.message for finding in found] == [
        "axis 2 (height) is not fixed",
        "axis 3 is not fixed",
    ]


def test_input_shapes_fixes_a_dynamic_axis(draw: Draw) -> None:
    path = draw("Relu", shape=("batch", 3, "h", "w"))
    looked = look_at(path, AX650, "5.2", shaped("x:1x3x64x32"))
    assert looked.findings == ()
    assert looked.inputs == (TensorSpec("x", "float32", (1, 3, 64, 32)),)


@pytest.mark.parametrize(
    ("text", "message", "advice"),
    [
        ("xx:1x3x8x8", "no such input", "did you mean x?"),
        ("x:1x3x8", "gives 3 axes; the input has 4", ""),
    ],
)
def test_input_shapes_that_fit_no_input_are_refused(
    draw: Draw, text: str, message: str, advice: str
) -> None:
    found = one(look(draw("Relu"), shaped(text)))
    assert (found.level, found.message, found.advice) == ("refuse", message, advice)


@pytest.mark.parametrize(("opset", "level"), [(10, "refuse"), (18, "warn")])
def test_opsets_out_of_the_range_are_spoken_of(draw: Draw, opset: int, level: str) -> None:
    found = one(look(draw("Relu", opset=opset)))
    assert (found.level, found.check, found.where) == (level, "opset", f"opset {opset}")


@pytest.mark.parametrize("opset", [11, 17])
def test_opsets_of_the_range_are_not(draw: Draw, opset: int) -> None:
    assert look(draw("Relu", opset=opset)) == ()


def test_a_model_of_more_than_2_gb_is_refused_and_its_weights_are_not_read(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.zeros(4, np.float32), "w")
    external_data_helper.set_external_data(weights, "weights.bin", length=3 << 30)
    weights.ClearField("raw_data")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
        [weights],
    )
    path = tmp_path / "large.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)

    missing = one(look(path))
    assert (missing.level, missing.check) == ("refuse", "file")
    assert "'weights.bin' is not beside it" in missing.message

    (tmp_path / "weights.bin").write_bytes(b"")
    large = one(look(path))
    assert large.level == "refuse"
    assert "3,221,225" in large.message
    assert "2,147,483,647 is the limit" in large.message


def test_a_file_above_2_gb_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    with path.open("wb") as stream:
        stream.truncate((2 << 30) + 5)
    found = one(look(path))
    assert (found.level, found.check, found.where) == ("refuse", "file", "huge.onnx")


@pytest.mark.parametrize("content", [b"", b"\xff\xff\xff\xff not a model", b"{}"])
def test_what_is_no_onnx_file_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is no ONNX file"):
        look(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        look(tmp_path / "model.onnx")


def test_an_int64_input_is_warned_of_until_the_config_feeds_it_int32(draw: Draw) -> None:
    path = draw("Identity", kind=TensorProto.INT64, made=TensorProto.INT64)
    into, out = look(path)
    assert (into.level, into.where) == ("warn", "input x")
    assert "becomes int32" in into.message
    assert (out.level, out.where) == ("warn", "output y")
    config = shaped("") | {"input_processors": [{"tensor_name": "x", "src_dtype": "S32"}]}
    assert [finding.where for finding in look(path, config)] == ["output y"]


def test_the_class_ids_of_argmax_are_not_spoken_of(draw: Draw) -> None:
    assert look(draw("ArgMax", axis=1, made=TensorProto.INT64)) == ()


def test_doubles_are_refused(draw: Draw) -> None:
    into, between = look(draw("Relu", kind=TensorProto.DOUBLE, made=TensorProto.DOUBLE))
    assert (into.level, into.where) == ("refuse", "input x")
    assert "float64 is no type of the chip" in into.message
    assert (between.level, between.where) == ("refuse", "tensor y")


def test_half_floats_are_warned_of(draw: Draw) -> None:
    found = look(draw("Relu", kind=TensorProto.FLOAT16, made=TensorProto.FLOAT16))
    assert {finding.level for finding in found} == {"warn"}


@pytest.mark.parametrize(
    ("target", "version", "message"),
    [
        (Target("AX650", "NPU4"), "5.2", "AX650 has no NPU4"),
        (Target("AX620E", "NPU3"), "5.2", "AX620E has no NPU3"),
        (Target("AX8860", "NPU1"), "5.2", "pulsar2 5.2 has no AX8860; it came with 7.0"),
    ],
)
def test_a_target_that_there_is_not_is_refused(
    draw: Draw, target: Target, version: str, message: str
) -> None:
    found = one(look(draw("Relu"), None, target, version))
    assert (found.level, found.check, found.message) == ("refuse", "target", message)


def test_a_target_of_an_unknown_version_is_only_doubted(draw: Draw) -> None:
    found = look(draw("Selu"), None, Target("AX999", "NPU1"), "9.1")
    assert [(finding.level, finding.check) for finding in found] == [
        ("warn", "target"),
        ("warn", "target"),
        ("warn", "operator"),
    ]


def test_logits_that_are_enlarged_before_argmax_are_warned_of(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Resize", ["x", "", "f"], ["big"], name="up", mode="linear"),
        helper.make_node("ArgMax", ["big"], ["y"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 19, 16, 32])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [1, 1, 64, 128])],
        [numpy_helper.from_array(np.array([1, 1, 4, 4], np.float32), "f")],
    )
    path = tmp_path / "upsampled.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)

    found = one(look(path))

    assert (found.level, found.check, found.where) == ("warn", "upsample", "up")
    assert "19 channels 4 x 4 times right before ArgMax" in found.message
    assert "low resolution" in found.advice


def test_a_picture_that_is_enlarged_is_not(draw: Draw) -> None:
    factors = {"r": np.zeros(0, np.float32), "f": np.array([1, 1, 2, 2], np.float32)}
    assert look(draw("Resize", (1, 3, 8, 8), factors, mode="linear")) == ()
