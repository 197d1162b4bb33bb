"""The build config against the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import TensorProto

from orchestrator.domain import Json, Target
from orchestrator.pulsar2.preflight import Finding, check_model

Draw = Callable[..., Path]


def look(path: Path, config: dict[str, Json]) -> list[Finding]:
    return list(check_model(path, Target("AX650", "NPU1"), "5.2", config))


def calibrated(name: str = "x", **more: Json) -> dict[str, Json]:
    """A quant section that calibrates one input."""
    row: Json = {"tensor_name": name, "calibration_dataset": "a.tar"}
    return {"quant": {"input_configs": [row], **more}}


def layered(**row: Json) -> dict[str, Json]:
    return calibrated(layer_configs=[row])


def test_a_config_that_names_what_is_there_is_not_spoken_of(draw: Draw) -> None:
    config = calibrated() | {
        "input_processors": [{"tensor_name": "x"}],
        "output_processors": [{"tensor_name": "y"}, {"tensor_name": "DEFAULT"}],
    }
    assert look(draw("Relu"), config) == []


def test_an_input_of_another_name_is_refused_and_the_right_one_is_guessed(draw: Draw) -> None:
    path = draw("Where", inputs=("x", "pixel_values", "x"), kind=TensorProto.BOOL)
    found = look(path, calibrated("pixel_value"))
    assert [(one.check, one.where) for one in found if one.level == "refuse"] == [
        ("names", "quant.input_configs[0].tensor_name"),
        ("coverage", "input x"),
        ("coverage", "input pixel_values"),
    ]
    assert found[1].advice == "did you mean pixel_values?"


@pytest.mark.parametrize(
    ("key", "kind"), [("input_processors", "input"), ("output_processors", "output")]
)
def test_processors_of_other_tensors_are_refused(draw: Draw, key: str, kind: str) -> None:
    (found,) = look(draw("Relu"), calibrated() | {key: [{"tensor_name": "nothing"}]})
    assert (found.level, found.where) == ("refuse", f"{key}[0].tensor_name")
    assert f"no {kind} 'nothing'" in found.message


def test_default_calibrates_every_input(draw: Draw) -> None:
    assert look(draw("Relu"), calibrated("DEFAULT")) == []


def test_a_config_without_calibration_is_refused(draw: Draw) -> None:
    (found,) = look(draw("Relu"), {"npu_mode": "NPU1"})
    assert (found.level, found.check, found.where) == ("refuse", "coverage", "input x")


def test_a_quantized_model_needs_none_and_may_quantize(draw: Draw) -> None:
    path = draw("QuantizeLinear", constants={"s": 1.0}, made=TensorProto.UINT8)
    assert {one.check for one in look(path, {})} == {"operator"}
    assert look(path, {"model_type": "QuantONNX"}) == []


@pytest.mark.parametrize(
    ("row", "check", "message"),
    [
        ({"op_type": "Softmax", "data_type": "U16"}, "layers", "no Softmax"),
        ({"op_types": ["Relu", "MatMul"], "data_type": "U16"}, "layers", "no MatMul"),
        ({"layer_name": "the_Cnv", "data_type": "U16"}, "layers", "no operator 'the_Cnv'"),
        ({"op_type": "Conv", "data_type": "FP32"}, "fp32", "ignored, without a word, by Conv"),
        ({"layer_name": "the_Conv", "data_type": "FP32"}, "fp32", "by Conv"),
        ({"start_tensor_names": ["13"], "data_type": "U16"}, "names", "no tensor '13'"),
    ],
)
def test_an_entry_that_reaches_nothing_is_warned_of(
    draw: Draw, row: dict[str, Json], check: str, message: str
) -> None:
    op = "Relu" if "op_types" in row else "Conv"
    weights = {"w": [[[[1.0]]]] * 1} if op == "Conv" else {}
    (found,) = look(draw(op, (1, 1, 8, 8), weights), layered(**row))
    assert (found.level, found.check) == ("warn", check)
    assert message in found.message


@pytest.mark.parametrize(
    "row",
    [
        {"op_type": "Relu", "data_type": "FP32"},
        {"layer_name": "the_Relu", "data_type": "U16"},
        {"layer_name": "the_Relu_split_1", "data_type": "U16"},
        {"layer_name": "op_173:onnx.Mul_1", "data_type": "U16"},
        {"layer_name": "Relu_0", "data_type": "U16"},
        {"op_type": "LayerNormalization", "data_type": "U16"},
        {
            "start_tensor_names": ["DEFAULT"],
            "end_tensor_names": ["DEFAULT"],
            "data_type": "U16",
        },
        {"start_tensor_names": ["x"], "end_tensor_names": ["y"], "data_type": "U16"},
    ],
)
def test_an_entry_that_may_reach_something_is_not(draw: Draw, row: dict[str, Json]) -> None:
    assert look(draw("Relu"), layered(**row)) == []


def test_names_inside_the_model_are_only_doubted(draw: Draw) -> None:
    config = calibrated() | {
        "op_processors": [{"op_name": "the_Relo", "attrs": {}}],
        "const_processors": [{"name": "w"}],
        "compiler": {"sub_configs": [{"start_tensor_names": ["x"], "end_tensor_names": ["z"]}]},
    }
    found = look(draw("Relu"), config)
    assert [(one.level, one.where) for one in found] == [
        ("warn", "op_processors[0].op_name"),
        ("warn", "const_processors[0].name"),
        ("warn", "compiler.sub_configs[0].end_tensor_names"),
    ]
    assert found[0].advice == "did you mean the_Relu?"


def test_a_mean_for_other_channels_is_warned_of(draw: Draw) -> None:
    row: Json = {"tensor_name": "x", "calibration_mean": [1, 2, 3]}
    (found,) = look(draw("Relu", (1, 1, 8, 8)), {"quant": {"input_configs": [row]}})
    assert (found.level, found.check) == ("warn", "scale")
    assert look(draw("Relu", (1, 3, 8, 8)), {"quant": {"input_configs": [row]}}) == []
