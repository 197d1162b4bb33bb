"""Configs that are not taken: wrong values, slips, contradictions, other versions' keys."""

from __future__ import annotations

import pytest

from orchestrator.domain import Json
from orchestrator.pulsar2.config.origin import Origin
from tests.unit.orchestrator.pulsar2.config.one_key import one, refusal


@pytest.mark.parametrize("first", ["npu_mode", "npuMode"])
def test_a_key_in_both_spellings_is_refused(first: str) -> None:
    error = refusal({first: "NPU1", "npu_mode": "NPU1", "npuMode": "NPU3"})

    assert error.message == "a.json: npuMode: it is npu_mode, which is there too"
    assert error.hint == "write it once, as npu_mode"


@pytest.mark.parametrize("key", ["NpuMode", "npumode", "npu_Mode", "npu-mode"])
def test_no_other_spelling_is_taken(key: str) -> None:
    assert refusal({key: "NPU1"}).message == f"a.json: {key}: no such key in pulsar2 5.2"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("quant.check", "x", "'x' is not a whole number"),
        ("quant.check", "1 ", "'1 ' is not a whole number"),
        ("quant.check", "1.5", "1.5 is not a whole number"),
        ("quant.check", True, "true is not a whole number"),
        ("quant.check", 1.5, "1.5 is not a whole number"),
        ("quant.check", 2, "2 is not 0 to 1"),
        ("quant.enable_lsq", 1, "1 is not true or false"),
        ("quant.finetune_lr", 0, "0 is not above 0"),
        ("quant.finetune_epochs", 1 << 31, "2147483648 does not fit into 32 bits"),
        ("quant.smooth_quant_threshold", 1.5, "1.5 is not 0 to 1"),
        ("quant.smooth_quant_strength", float("nan"), "nan is not a number"),
        ("quant.transformer_opt_level", 3, "3 is not 0 to 2"),
        ("quant.refine_weight_threshold", 0.01, "0.01 is not -1 or 0 to 0.0001"),
        ("quant.refine_weight_threshold", -2, "-2 is not -1 or 0 to 0.0001"),
        ("quant.device", "gpu", "'gpu' is not cpu or cuda:0 to cuda:7"),
        ("quant.input_sample_dir", 5, "5 is not a text"),
        ("quant", [], "a list is not an object"),
        ("quant.input_configs", {}, "an object is not a list"),
        ("input_shapes", "1x3x2x2", "'1x3x2x2' is not of the form NAME:1x3x224x224;…"),
        ("compiler.check", 4, "4 is not 0 to 3"),
        ("compiler.check_atol", -1, "-1 is not 0 or more"),
        ("quant.calibration_method", 9, "9 is none of MinMax, Percentile, MSE, KL"),
        ("quant.conv_bias_data_type", "U8", "'U8' is none of DefaultDataType, S32, FP32"),
        ("target_hardware", "AX650N", "'AX650N' is none of AX650, AX620E, M76H, AX615"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(path: str, value: Json, message: str) -> None:
    assert refusal(one(path, value)).message.startswith(f"a.json: {path}: {message}")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("calibration_size", 0, ".calibration_size: 0 is not -1 or 1 or more"),
        ("calibration_std", [1, 0], ".calibration_std[1]: 0 is not above 0"),
        ("calibration_mean", ["a"], ".calibration_mean[0]: 'a' is not a number"),
        ("tensor_name", None, ": tensor_name is missing"),
        ("calibration_dataset", "", ": calibration_dataset is missing"),
    ],
)
def test_a_wrong_value_in_a_list_is_refused_with_its_place(
    path: str, value: Json, message: str
) -> None:
    config = one(f"quant.input_configs.{path}", value)

    assert refusal(config).message == f"a.json: quant.input_configs[0]{message}"


@pytest.mark.parametrize(
    ("config", "message", "hint"),
    [
        (
            {"quant": {"layer_configs": [{"op_type": "Add", "data_typ": "U16"}]}},
            "a.json: quant.layer_configs[0].data_typ: no such key in pulsar2 5.2",
            "did you mean data_type?",
        ),
        (
            {"precision_analysis": True},
            "a.json: precision_analysis: no such key in pulsar2 5.2",
            "did you mean quant.precision_analysis?",
        ),
        (
            {"input_processors": [{"tensor_name": "x", "dst_format": "BGR"}]},
            "a.json: input_processors[0].dst_format: no such key in pulsar2 5.2",
            "did you mean src_format?",
        ),
        ({"dag": {}}, "a.json: dag: no such key in pulsar2 5.2", "known keys: input, output_dir,"),
        (one("quant.calibration_method", "minmax"), "a.json: quant.cal", "did you mean MinMax?"),
        (
            one("compiler.sub_configs", "a"),
            "a.json: compiler.sub_configs: 'a' is not a list",
            "wri",
        ),
    ],
)
def test_a_slip_is_refused_with_what_was_meant(
    config: dict[str, Json], message: str, hint: str
) -> None:
    error = refusal(config)

    assert error.message.startswith(message)
    assert error.hint.startswith(hint)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("quant.layer_configs", [{"data_type": "U8"}], "quant.layer_configs[0]: chooses its"),
        (
            "quant.layer_configs",
            [{"op_type": "Add", "layer_names": ["a"]}],
            "quant.layer_configs[0]: chooses its operators by op_type and by layer_names",
        ),
        (
            "quant.layer_configs",
            [{"op_type": "Add", "end_tensor_names": ["a"]}],
            "quant.layer_configs[0]: chooses its operators by op_type and by start_tensor_names",
        ),
        ("input_processors.padding", [0, 1, 2], "input_processors[0].padding: has 3 numbers"),
        ("input_processors.slicing", [1], "input_processors[0].slicing: has 1 numbers"),
        ("input_processors.csc_mat", [1] * 11, "input_processors[0].csc_mat: has 11 numbers"),
        ("input_processors.csc_mode", "Matrix", "input_processors[0]: csc_mode Matrix needs"),
        (
            "input_processors",
            [{"tensor_name": "x", "csc_mode": "Matrix", "csc_mat": [1, 0, 0, 8] * 3}],
            "input_processors[0].csc_mat[3]: 8 is not between -9 and 8",
        ),
        (
            "input_processors",
            [{"tensor_name": "x", "src_extra_shapes": [{"shape": [1]}]}, {"tensor_name": "y"}],
            "input_processors[1]: has 0 src_extra_shapes, input_processors[0] has 1",
        ),
        ("const_processors", [{"name": "x"}], "const_processors[0]: gives x neither data nor"),
        ("compiler.start_tensor_names", ["x"], "compiler.start_tensor_names: only a sub config"),
        ("npu_mode", "NPU4", "npu_mode: AX650 has no NPU4"),
        ("target_hardware", "AX8860", "target_hardware: pulsar2 5.2 has no AX8860; it came with"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(path: str, value: Json, message: str) -> None:
    assert refusal(one(path, value)).message.startswith(f"a.json: {message}")


@pytest.mark.parametrize(
    ("path", "value", "version", "message"),
    [
        ("compiler.enable_tile_mode", True, "3.3", "pulsar2 3.3 has it not; it came with 4.2"),
        ("compiler.sub_configs", [{"npu_perf": True}], "3.1", "pulsar2 3.1 has it not; it came"),
        ("compiler.debug", 1, "3.2", "pulsar2 3.2 has it no more; it went with 3.2"),
        ("debug", {}, "4.1", "pulsar2 4.1 has it not; it came with 4.2"),
        ("quant.device", "cpu", "4.1-patch1", "pulsar2 4.1-patch1 has it not; it came with 4.2"),
        ("quant.layer_configs.data_type", "BF16", "6.0", "pulsar2 6.0 has no BF16; it came with"),
    ],
)
def test_what_another_version_has_is_refused(
    path: str, value: Json, version: str, message: str
) -> None:
    assert f": {message}" in refusal(one(path, value), version).message


def test_an_error_names_the_line_of_the_key_or_of_what_holds_it() -> None:
    lines = {"quant": 3, "quant.check": 5}
    origin = Origin("a.json", lines, within="here")

    assert origin.error("quant.check", "bad").message == "a.json:5: here.quant.check: bad"
    assert origin.error("quant.lists[3].x", "bad").message == "a.json:3: here.quant.lists[3].x: bad"
    assert origin.error("compiler", "bad").message == "a.json: here.compiler: bad"
