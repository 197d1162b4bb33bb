from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from orchestrator.domain import Json, Target
from orchestrator.errors import ConfigError
from orchestrator.pulsar2.config.codec import config_from_json, config_to_json
from orchestrator.pulsar2.config.file import read_config
from orchestrator.pulsar2.config.origin import Origin
from orchestrator.pulsar2.config.plan import plans_of
from orchestrator.pulsar2.config.rules import target_of
from orchestrator.pulsar2.config.types import BuildConfig, CompilerConfig, LayerConfig, QuantConfig
from orchestrator.pulsar2.versions import version_table

#: The vendor's published configs, and one with every key there is.
PUBLISHED = sorted((Path(__file__).parent / "published").glob("*.json"))


def one(path: str, value: Json) -> dict[str, Json]:
    """A config that holds `value` at `a.b.c` and what else must be there."""
    needed: dict[str, dict[str, Json]] = {
        "quant.input_configs": {"tensor_name": "x", "calibration_dataset": "x.tar"},
        "quant.layer_configs": {"op_type": "Add"},
        "input_processors": {"tensor_name": "x"},
        "output_processors": {"tensor_name": "x"},
    }
    for place, entry in needed.items():
        if path.startswith(f"{place}."):
            return one(place, [{**entry, path.removeprefix(f"{place}."): value}])
    first, _, rest = path.partition(".")
    return {first: one(rest, value) if rest else value}


def without_empty(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: without_empty(inner) for key, inner in value.items() if inner != []}
    return [without_empty(inner) for inner in value] if isinstance(value, list) else value


def refusal(config: Mapping[str, Json], version: str = "5.2") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        config_from_json(config, version, "a.json")
    return caught.value


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
@pytest.mark.parametrize("version", ["4.2", "5.2", "7.0"])
def test_published_configs_are_taken_as_they_are(path: Path, version: str) -> None:
    data = read_config(path).data

    config = config_from_json(data, version, path.name)

    assert config_to_json(config) == without_empty(data)


def test_a_published_config_becomes_values() -> None:
    (path,) = (path for path in PUBLISHED if path.stem == "depth_anything_v2")

    config = config_from_json(read_config(path).data, "5.2", path.name)

    assert config.quant is not None
    assert config.quant.layer_configs[1] == LayerConfig("op_173:onnx.Softmax_0", data_type="U16")
    assert config.quant.input_configs[0].calibration_std == (58.395, 57.12, 57.375)
    assert target_of(config) == Target("AX650", "NPU3")
    assert config.compiler is None


def test_only_what_is_set_is_written_and_in_the_order_of_the_types() -> None:
    config = BuildConfig(compiler=CompilerConfig(check=0), quant=QuantConfig(), npu_mode="NPU2")

    assert list(config_to_json(config).items()) == [
        ("npu_mode", "NPU2"),
        ("quant", {}),
        ("compiler", {"check": 0}),
    ]


@pytest.mark.parametrize(
    ("path", "given", "read"),
    [
        ("quant.calibration_method", 2, "MSE"),
        ("quant.input_configs.calibration_format", 3, "NumpyObject"),
        ("input_processors.src_format", 6, "YUV420SP"),
        ("input_processors.src_dtype", 10, "FP32"),
        ("npu_mode", 2, "NPU3"),
        ("compiler.check", 3.0, 3),
        ("quant.refine_weight_threshold", -1, -1),
        ("quant.refine_weight_threshold", 0, 0),
        ("quant.input_configs.calibration_size", -1, -1),
        ("quant.device", "cuda:7", "cuda:7"),
        ("input_shapes", "a:0:1x3x2x2;b:4", "a:0:1x3x2x2;b:4"),
        ("output_processors.output_dtype", "U16", "U16"),
        ("quant.layer_configs.weight_data_type", "S32", "S32"),
        ("input_processors.src_dtype", "S64", "S64"),
        ("target_hardware", "AX620L", "AX620L"),
        ("debug.dump_frontend_graph", False, False),
        ("quant.finetune_epochs", "20", 20),
        ("quant.check", "1.0", 1),
        ("quant.finetune_lr", "1e-6", 1e-6),
        ("quant.calibration_method", "1", "Percentile"),
    ],
)
def test_values_are_read_as_protobuf_reads_them(path: str, given: Json, read: Json) -> None:
    config = config_from_json(one(path, given), "5.2", "a.json")

    assert config_to_json(config) == one(path, read)


def test_camel_case_keys_are_the_same_keys() -> None:
    config = config_from_json(
        {"npuMode": "NPU3", "quant": {"inputConfigs": [], "calibrationMethod": "KL"}}, "5.2"
    )

    assert config_to_json(config) == {"npu_mode": "NPU3", "quant": {"calibration_method": "KL"}}


@pytest.mark.parametrize("first", ["npu_mode", "npuMode"])
def test_a_key_in_both_spellings_is_refused(first: str) -> None:
    error = refusal({first: "NPU1", "npu_mode": "NPU1", "npuMode": "NPU3"})

    assert error.message == "a.json: npuMode: it is npu_mode, which is there too"
    assert error.hint == "write it once, as npu_mode"


@pytest.mark.parametrize("key", ["NpuMode", "npumode", "npu_Mode", "npu-mode"])
def test_no_other_spelling_is_taken(key: str) -> None:
    assert refusal({key: "NPU1"}).message == f"a.json: {key}: no such key in pulsar2 5.2"


def test_null_is_a_key_that_is_left_out() -> None:
    config = config_from_json({"quant": {"check": None}, "compiler": None}, "5.2", "a.json")

    assert config == BuildConfig(quant=QuantConfig())


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


def test_the_same_keys_are_taken_by_the_versions_that_have_them() -> None:
    config_from_json(one("compiler.enable_tile_mode", True), "4.2", "a.json")
    config_from_json(one("compiler.debug", 1), "3.1", "a.json")
    config_from_json(one("quant.layer_configs.data_type", "BF16"), "7.0-lite", "a.json")


def test_a_toolchain_that_is_not_known_may_know_more_keys() -> None:
    assert "orch knows pulsar2 up to 7.0" in refusal({"dag": 1}, "9.1").hint
    assert "orch knows" not in refusal({"dag": 1}, "7.0").hint


def test_an_error_names_the_line_of_the_key_or_of_what_holds_it() -> None:
    lines = {"quant": 3, "quant.check": 5}
    origin = Origin("a.json", lines, within="here")

    assert origin.error("quant.check", "bad").message == "a.json:5: here.quant.check: bad"
    assert origin.error("quant.lists[3].x", "bad").message == "a.json:3: here.quant.lists[3].x: bad"
    assert origin.error("compiler", "bad").message == "a.json: here.compiler: bad"


def messages_below(message: type) -> Iterator[type]:
    yield message
    for plan in plans_of(message).values():
        inner = plan.items or plan
        if inner.is_message and inner.kind is not message:
            yield from messages_below(inner.kind)


def test_the_version_table_names_only_keys_that_exist() -> None:
    known = {
        f"{one.__name__}.{key}" for one in messages_below(BuildConfig) for key in plans_of(one)
    }
    table = version_table()

    assert set(table.keys_since) | set(table.keys_until) <= known
    assert {*table.keys_since.values(), *table.keys_until.values()} <= set(table.versions)
