"""Build configs as they are taken, and as they are written again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.domain import Json, Target
from orchestrator.pulsar2.config.codec import config_from_json, config_to_json
from orchestrator.pulsar2.config.file import read_config
from orchestrator.pulsar2.config.plan import plans_of
from orchestrator.pulsar2.config.rules import target_of
from orchestrator.pulsar2.config.types import BuildConfig, CompilerConfig, LayerConfig, QuantConfig
from orchestrator.pulsar2.versions import version_table
from tests.unit.orchestrator.pulsar2.config.one_key import one, refusal

#: The vendor's published configs, and one with every key there is.
PUBLISHED = sorted((Path(__file__).parent / "published").glob("*.json"))


def without_empty(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: without_empty(inner) for key, inner in value.items() if inner != []}
    return [without_empty(inner) for inner in value] if isinstance(value, list) else value


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


def test_null_is_a_key_that_is_left_out() -> None:
    config = config_from_json({"quant": {"check": None}, "compiler": None}, "5.2", "a.json")

    assert config == BuildConfig(quant=QuantConfig())


def test_the_same_keys_are_taken_by_the_versions_that_have_them() -> None:
    config_from_json(one("compiler.enable_tile_mode", True), "4.2", "a.json")
    config_from_json(one("compiler.debug", 1), "3.1", "a.json")
    config_from_json(one("quant.layer_configs.data_type", "BF16"), "7.0-lite", "a.json")


def test_a_toolchain_that_is_not_known_may_know_more_keys() -> None:
    assert "orch knows pulsar2 up to 7.0" in refusal({"dag": 1}, "9.1").hint
    assert "orch knows" not in refusal({"dag": 1}, "7.0").hint


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
