from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.domain import Json, Recipe
from orchestrator.errors import ConfigError
from orchestrator.pulsar2.build_config import build_config
from orchestrator.pulsar2.config.file import ConfigText, read_config
from orchestrator.pulsar2.config.overlay import overlay


def text(folder: Path, **keys: Json) -> ConfigText:
    path = folder / "vendor.json"
    path.write_text(json.dumps(keys, indent=1))
    return read_config(path)


def test_target_method_and_analysis_become_the_recipes(recipe: Recipe, tmp_path: Path) -> None:
    quant: Json = {
        "calibration_method": "KL",
        "precision_analysis": True,
        "precision_analysis_method": "EndToEnd",
    }
    file = text(tmp_path, npu_mode="NPU1", target_hardware="M76H", quant=quant)

    found, notes = overlay(recipe, file, "5.2")

    assert str(found.compile.target) == "M76H/NPU1"
    assert found.compile.calibration_method == "KL"
    assert found.compile.precision_analysis == "EndToEnd"
    assert notes == ()


def test_every_other_key_is_in_the_config_that_is_built(recipe: Recipe, tmp_path: Path) -> None:
    layers: Json = [{"op_type": "Softmax", "data_type": "U16"}]
    file = text(
        tmp_path,
        quant={"layer_configs": layers},
        compiler={"check": 3},
        onnx_opt={"model_check": 1},
    )

    with pytest.raises(ConfigError, match=r"vendor.json:\d+: onnx_opt.model_check"):
        overlay(recipe, file, "5.2")

    file = text(tmp_path, quant={"layer_configs": layers}, compiler={"check": 3})
    found, _ = overlay(recipe, file, "5.2")
    built = build_config(found, "5.2")
    assert built["quant"]["layer_configs"] == layers  # type: ignore[index, call-overload]
    assert built["compiler"] == {"check": 3}


def test_what_the_recipe_decides_is_left_out_and_said(recipe: Recipe, tmp_path: Path) -> None:
    inputs: Json = [{"tensor_name": "DEFAULT", "calibration_dataset": "nowhere.tar"}]
    file = text(
        tmp_path,
        output_dir="out",
        quant={"input_configs": inputs},
        input_processors=[{"tensor_name": "input", "src_dtype": "FP32"}],
    )

    found, notes = overlay(recipe, file, "5.2")

    assert build_config(found, "5.2") == build_config(recipe, "5.2")
    assert [note.split(" is ")[0] for note in notes] == [
        "output_dir",
        "quant.input_configs",
        "input_processors",
    ]


def test_a_config_for_another_model_is_refused_at_its_line(recipe: Recipe, tmp_path: Path) -> None:
    inputs: Json = [{"tensor_name": "images", "calibration_dataset": "c.tar"}]
    file = text(tmp_path, quant={"input_configs": inputs})

    with pytest.raises(ConfigError) as caught:
        overlay(recipe, file, "5.2")

    assert caught.value.message.startswith(f"{tmp_path / 'vendor.json'}:5: quant.input_configs[0].")
    assert "'images' is no input of recipe small: input" in caught.value.message
    assert "--onnx" in caught.value.hint


def with_raw_keys(recipe: Recipe, keys: Mapping[str, Json], analysis: str | None = None) -> Recipe:
    plan = replace(recipe.compile, pulsar2=keys, precision_analysis=analysis)
    return replace(recipe, compile=plan)


def test_the_files_method_counts_more_than_a_raw_key_of_the_recipe(
    recipe: Recipe, tmp_path: Path
) -> None:
    raw: Json = {"calibration_method": "KL", "precision_analysis": False, "check": 1}
    over: Json = {"calibration_method": "MSE", "precision_analysis_method": "EndToEnd"}
    base = with_raw_keys(recipe, {"quant": raw}, "PerLayer")

    found, _ = overlay(base, text(tmp_path, quant=over), "5.2")

    quant = build_config(found, "5.2")["quant"]
    assert isinstance(quant, dict)
    assert quant["calibration_method"] == "MSE"
    assert (quant["precision_analysis"], quant["precision_analysis_method"]) == (True, "EndToEnd")
    assert quant["check"] == 1
    assert base.compile.pulsar2 == {"quant": raw}
    assert raw == {"calibration_method": "KL", "precision_analysis": False, "check": 1}


def test_what_the_file_replaces_in_the_recipe_is_said(recipe: Recipe, tmp_path: Path) -> None:
    layers: Json = [{"op_type": "Softmax", "data_type": "U16"}]
    raw: dict[str, Json] = {
        "quant": {"layer_configs": layers, "check": 1},
        "compiler": {"check": 3},
    }
    over: Json = {"layer_configs": [{"op_type": "Add", "data_type": "FP32"}], "check": 1}

    _, notes = overlay(with_raw_keys(recipe, raw), text(tmp_path, quant=over), "5.2")

    assert notes == ("the recipe's quant.layer_configs is left out: the file has it too",)


def test_a_method_alone_starts_no_analysis(recipe: Recipe, tmp_path: Path) -> None:
    file = text(tmp_path, quant={"precision_analysis_method": "EndToEnd"})

    assert overlay(recipe, file, "5.2")[0].compile.precision_analysis is None


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        (
            "const_processors",
            [{"name": "k", "data_path": "k.npy"}],
            "const_processors[0].data_path",
        ),
        ("quant", {"input_sample_dir": "x"}, "quant.input_sample_dir"),
        (
            "compiler",
            {"sub_configs": [{"input_sample_dir": "x"}]},
            "compiler.sub_configs[0].input_sample_dir",
        ),
    ],
)
def test_a_file_that_would_not_be_there_is_refused(
    recipe: Recipe, tmp_path: Path, key: str, value: Json, where: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        overlay(recipe, text(tmp_path, **{key: value}), "5.2")

    assert f" {where}: " in caught.value.message
    assert caught.value.message.endswith("is not brought into the build of a recipe")
