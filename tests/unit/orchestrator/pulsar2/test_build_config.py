from __future__ import annotations

from dataclasses import replace

from orchestrator.domain import Json, Recipe
from orchestrator.pulsar2.build_config import build_argv, build_config


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
    raw: dict[str, Json] = {"quant": {"precision_analysis": True, "new": {"a": 1}}, "compiler": 5}

    config = build_config(with_raw(recipe, raw))

    quant = config["quant"]
    assert isinstance(quant, dict)
    assert (quant["precision_analysis"], quant["new"]) == (True, {"a": 1})
    assert quant["calibration_method"] == "MinMax"
    assert config["compiler"] == 5


def test_a_merge_leaves_the_recipe_as_it_was(recipe: Recipe) -> None:
    raw: dict[str, Json] = {"quant": {"a": {"b": 1}}}

    build_config(with_raw(recipe, raw))

    assert raw == {"quant": {"a": {"b": 1}}}
    assert "a" not in str(build_config(recipe)["compiler"])
