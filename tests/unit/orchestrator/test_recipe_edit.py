from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.domain import Json
from orchestrator.recipe import load_recipe
from orchestrator.recipe_edit import write_choice

CHOSEN: dict[str, Json] = {
    "quant": {
        "enable_smooth_quant": True,
        "layer_configs": [{"layer_names": ["a"], "data_type": "U16"}],
    }
}


@pytest.fixture
def source(tmp_path: Path, recipe_text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text("# why this recipe exists\n" + recipe_text)
    return path


def test_the_choice_is_in_the_file_and_the_comments_stay(source: Path) -> None:
    write_choice(source, source, "NPU1", "KL", CHOSEN)

    recipe = load_recipe(str(source))
    assert str(recipe.compile.target) == "AX650/NPU1"
    assert recipe.compile.calibration_method == "KL"
    assert recipe.compile.pulsar2 == CHOSEN
    assert source.read_text().startswith("# why this recipe exists\n")


def test_keys_that_stand_there_are_kept_unless_the_choice_names_them(source: Path) -> None:
    write_choice(source, source, "NPU1", "KL", {"quant": {"check": 1, "enable_smooth_quant": True}})
    write_choice(source, source, "NPU3", "MSE", {"quant": {"enable_smooth_quant": False}})

    quant = load_recipe(str(source)).compile.pulsar2["quant"]
    assert quant == {"check": 1, "enable_smooth_quant": False}


def test_a_folder_is_found_from_the_new_place_too(source: Path, tmp_path: Path) -> None:
    text = source.read_text().replace("{generator: street-scenes, size: 2}", "{folder: images}")
    source.write_text(text)
    target = tmp_path / "elsewhere" / "mine.yaml"
    target.parent.mkdir()

    write_choice(source, target, "NPU1", "KL", {})

    assert load_recipe(str(target)).evaluation == load_recipe(str(source)).evaluation
    assert (
        load_recipe(str(target)).compile.calibration == load_recipe(str(source)).compile.calibration
    )


def test_without_a_folder_to_write_to_nothing_is_left(source: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_choice(source, tmp_path / "absent" / "x.yaml", "NPU1", "KL", {})

    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.yaml"]
