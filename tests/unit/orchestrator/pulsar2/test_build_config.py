from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.domain import Json, Recipe, Target
from orchestrator.errors import ConfigError
from orchestrator.pulsar2.build_config import build_argv, build_config, merge


def with_raw(recipe: Recipe, raw: dict[str, Json]) -> Recipe:
    return replace(recipe, compile=replace(recipe.compile, pulsar2=raw))


def test_the_command_names_model_config_and_target(recipe: Recipe) -> None:
    argv = build_argv(recipe.compile.target)

    assert argv[:2] == ["pulsar2", "build"]
    options = dict(zip(argv[2::2], argv[3::2], strict=True))
    assert options == {
        "--input": "input/model.onnx",
        "--output_dir": "output",
        "--config": "input/config.json",
        "--target_hardware": "AX650",
        "--npu_mode": "NPU3",
    }


def test_paths_are_relative_so_that_a_key_is_the_same_everywhere(recipe: Recipe) -> None:
    assert not any(word.startswith("/") for word in build_argv(recipe.compile.target))


def test_the_config_takes_bytes_in_and_normalises_inside(recipe: Recipe) -> None:
    config = build_config(recipe)

    quant, processors = config["quant"], config["input_processors"]
    assert isinstance(quant, dict)
    assert quant["input_configs"] == [
        {
            "tensor_name": "input",
            "calibration_dataset": "input/calibration.tar",
            "calibration_format": "Numpy",
            "calibration_size": 2,
            "calibration_mean": [1, 2, 3],
            "calibration_std": [2, 4, 8],
        }
    ]
    assert isinstance(processors, list)
    (processor,) = processors
    assert isinstance(processor, dict)
    assert processor["src_dtype"] == "U8"
    assert (processor["src_layout"], processor["tensor_layout"]) == ("NHWC", "NCHW")
    assert (processor["src_format"], processor["tensor_format"]) == ("RGB", "RGB")


def test_raw_keys_are_merged_over_the_config(recipe: Recipe) -> None:
    raw: dict[str, Json] = {"quant": {"precision_analysis": True}, "compiler": {"npu_perf": True}}

    config = build_config(with_raw(recipe, raw))

    quant = config["quant"]
    assert isinstance(quant, dict)
    assert quant["precision_analysis"] is True
    assert quant["calibration_method"] == "MinMax"
    assert config["compiler"] == {"check": 0, "npu_perf": True}


def test_a_list_among_the_raw_keys_replaces_the_whole_list(recipe: Recipe) -> None:
    mine: list[Json] = [{"tensor_name": "input", "src_dtype": "FP32"}]

    config = build_config(with_raw(recipe, {"input_processors": mine}))

    assert config["input_processors"] == mine


def test_null_takes_a_key_away(recipe: Recipe) -> None:
    config = build_config(with_raw(recipe, {"compiler": None, "input_processors": None}))

    assert "compiler" not in config
    assert "input_processors" not in config


def test_a_merge_leaves_the_recipe_as_it_was(recipe: Recipe) -> None:
    raw: dict[str, Json] = {"quant": {"check": 1}}

    build_config(with_raw(recipe, raw))

    assert raw == {"quant": {"check": 1}}
    assert merge({"a": {"b": 1}}, {"a": {"c": 2}, "d": [3]}) == {"a": {"b": 1, "c": 2}, "d": [3]}


def test_a_slip_in_the_raw_keys_is_refused_with_the_key_of_the_recipe(recipe: Recipe) -> None:
    raw: dict[str, Json] = {"quant": {"layer_configs": [{"op_type": "Add", "data_typ": "U16"}]}}

    with pytest.raises(ConfigError) as caught:
        build_config(with_raw(recipe, raw), "5.2")

    where = "compile.pulsar2.quant.layer_configs[0].data_typ"
    assert caught.value.message == f"small: {where}: no such key in pulsar2 5.2"
    assert caught.value.hint == "did you mean data_type?"


def test_the_version_decides_what_may_be_asked_for(recipe: Recipe) -> None:
    tiled = with_raw(recipe, {"compiler": {"enable_tile_mode": True}})
    other = replace(recipe, compile=replace(recipe.compile, target=Target("AX8860", "NPU4")))

    assert build_config(tiled, "4.2") == build_config(tiled)
    with pytest.raises(ConfigError, match=r"enable_tile_mode: pulsar2 3\.3 has it not"):
        build_config(tiled, "3.3")
    assert build_config(other)["npu_mode"] == "NPU4"
    with pytest.raises(ConfigError, match=r"^compile\.target_hardware: pulsar2 5\.2 has no AX8860"):
        build_config(other, "5.2")


@pytest.mark.parametrize(
    ("asked", "found"), [(None, (False, None)), ("EndToEnd", (True, "EndToEnd"))]
)
def test_the_analysis_of_the_recipe_is_asked_for(
    recipe: Recipe, asked: str | None, found: tuple[bool, str | None]
) -> None:
    quant = build_config(
        replace(recipe, compile=replace(recipe.compile, precision_analysis=asked))
    )["quant"]

    assert isinstance(quant, dict)
    assert (quant["precision_analysis"], quant.get("precision_analysis_method")) == found
