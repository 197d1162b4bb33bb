from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.domain import Json
from orchestrator.errors import ConfigError
from orchestrator.inventory import inventory_schema
from orchestrator.overrides import Overrides, with_overrides
from orchestrator.pulsar2.build_config import build_config
from orchestrator.pulsar2.targets import check_target
from orchestrator.recipe import SHIPPED, load_recipe, recipe_schema, shipped_recipes


def write(tmp_path: Path, text: str, name: str = "small.yaml") -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_loads_and_fits_pulsar2(name: str) -> None:
    recipe = load_recipe(name)

    assert recipe.name == name
    assert len(recipe.classes) == len(recipe.palette)
    assert recipe.classes or recipe.checkpoint.task != "semantic-segmentation"
    check_target(recipe.compile.target)
    assert build_config(recipe)["npu_mode"] == "NPU3"


def test_values_reach_the_recipe(tmp_path: Path, recipe_text: str) -> None:
    recipe = load_recipe(write(tmp_path, recipe_text))

    assert recipe.name == "small"
    assert recipe.classes == ("road", "sky", "car")
    assert recipe.palette[0] == (128, 64, 128)
    assert recipe.export.shape == (1, 3, 8, 16)
    assert recipe.preprocess.std == (2, 4, 8)
    assert str(recipe.compile.target) == "AX650/NPU3"
    assert recipe.compile.calibration.count == 2
    assert (recipe.run.warmup, recipe.run.iterations, recipe.run.timeout_s) == (1, 5, 9)


def test_an_image_folder_is_relative_to_the_recipe(tmp_path: Path, recipe_text: str) -> None:
    text = recipe_text.replace("evaluation: {generator: street-scenes", "evaluation: {folder: pics")

    assert load_recipe(write(tmp_path, text)).evaluation.folder == str(tmp_path / "pics")


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("warmup", "warmpu", "8: run.warmpu: unknown key", "did you mean 'warmup'?"),
        ("mean:", "maen:", "5: preprocess.maen: unknown key", "did you mean 'mean'?"),
        ("run:", "zzzzz: 1\nrun:", "8: zzzzz: unknown key", "known keys: check, checkpoint, "),
        ("iterations: 5", "iterations: 0", "8: run.iterations: input should be greater", ""),
        ("iterations: 5", "iterations: 5.5", "8: run.iterations: input should be a valid int", ""),
        ("iterations: 5", "iterations: true", "8: run.iterations: input should be a valid", ""),
        ("timeout: 9", "timeout: true", "8: run.timeout: input should be a valid number", ""),
        ("timeout: 9", "timeout: .inf", "8: run.timeout: ", ""),
        ("timeout: 9", "timeout: 1000000", "8: run.timeout: ", ""),
        ("[1, 3, 8, 16]", "[1, 3, 8]", "4: export.input.shape[3]: field required", ""),
        ("[1, 3, 8, 16]", "[2, 3, 8, 16]", "4: export.input.shape[0]: input should be 1", ""),
        ("[1, 3, 8, 16]", "[1, 3, -8, 16]", "4: export.input.shape[2]: input should be", ""),
        ("run:", "optimize: {head: {axis: 0}}\nrun:", "8: optimize.head.axis: input should", ""),
        ("[2, 4, 8]", "[2, 0, 8]", "5: preprocess.std[1]: ", ""),
        ("[2, 4, 8]", "[2, .nan, 8]", "5: preprocess.std[1]: ", ""),
        ("#804080", "red", "3: classes.road: string should match", ""),
        ("size: 2}\nrun", "folder: x}\nrun", "7: compile.calibration: give a folder or a gen", ""),
        ("checkpoint: {", "checkpoint: {revision: 3, ", "2: checkpoint.revision: input should", ""),
    ],
)
def test_a_mistake_is_named_with_its_line_and_key(
    tmp_path: Path, recipe_text: str, old: str, new: str, message: str, hint: str
) -> None:
    assert old in recipe_text
    path = write(tmp_path, recipe_text.replace(old, new, 1))

    with pytest.raises(ConfigError) as caught:
        load_recipe(path)

    assert caught.value.message.startswith(f"{path}:{message}")
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["my recipe.yaml", ".yaml.yaml", f"{'long' * 20}.yaml", "ä.yaml"])
def test_a_file_name_that_no_release_can_bear_is_refused(
    tmp_path: Path, recipe_text: str, name: str
) -> None:
    path = write(tmp_path, recipe_text, name)

    with pytest.raises(ConfigError, match="name"):
        load_recipe(path)


def test_an_unknown_recipe_lists_the_shipped_ones() -> None:
    with pytest.raises(ConfigError, match="no recipe named 'nope'") as caught:
        load_recipe("nope")

    assert all(name in caught.value.hint for name in shipped_recipes())


def test_the_command_line_goes_over_the_recipe(tmp_path: Path, recipe_text: str) -> None:
    recipe = load_recipe(write(tmp_path, recipe_text))

    changed = with_overrides(
        recipe,
        Overrides(
            checkpoint=Path("weights"),
            calibration=Path("c"),
            images=Path("i"),
            iterations=7,
        ),
    )

    assert changed.checkpoint.source == "weights"
    assert (changed.compile.calibration.folder, changed.compile.calibration.generator) == (
        "c",
        None,
    )
    assert (changed.evaluation.folder, changed.evaluation.generator) == ("i", None)
    assert changed.run.iterations == 7
    assert with_overrides(recipe, Overrides()) == recipe


@pytest.mark.parametrize(
    "schema", [recipe_schema(), inventory_schema()], ids=["recipe", "inventory"]
)
def test_a_schema_is_sound_json_schema(schema: dict[str, Json]) -> None:
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    for part in walk(schema):
        if "$ref" in part:
            reference = part["$ref"]
            assert isinstance(reference, str)
            assert reference.removeprefix("#/$defs/") in definitions
        if part.get("type") == "object" and "properties" in part:
            assert part["additionalProperties"] is False
            properties, required = part["properties"], part.get("required", [])
            assert isinstance(properties, dict)
            assert isinstance(required, list)
            assert set(map(str, required)) <= set(properties)


def walk(value: Json) -> list[dict[str, Json]]:
    """Every object in a schema that is itself a schema or holds some."""
    if isinstance(value, list):
        return [part for item in value for part in walk(item)]
    if isinstance(value, dict):
        return [value, *(part for item in value.values() for part in walk(item))]
    return []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("iterations: 5", "iterations: 5", None),
        ("name: input", "name: logits", "must differ"),
    ],
)
def test_tensors_of_one_name_are_refused(
    tmp_path: Path, old: str, new: str, message: str | None
) -> None:
    path = tmp_path / "mine.yaml"
    text = (SHIPPED / "segformer-tiny.yaml").read_text()
    path.write_text(text.replace(old, new))

    if message is None:
        load_recipe(str(path))
        return
    with pytest.raises(ConfigError, match=message):
        load_recipe(str(path))


@pytest.mark.parametrize("key", ["npu_mode", "work_dir", "output_name", "inputShapes"])
def test_what_orch_decides_cannot_be_overridden_by_raw_keys(tmp_path: Path, key: str) -> None:
    path = tmp_path / "mine.yaml"
    text = (SHIPPED / "segformer-tiny.yaml").read_text()
    path.write_text(text.replace("  timeout: 600\n", f"  timeout: 600\n  pulsar2: {{{key}: x}}\n"))

    with pytest.raises(
        ConfigError, match=rf"compile\.pulsar2: {key.split(':', maxsplit=1)[0]}: set by orch"
    ):
        load_recipe(str(path))
