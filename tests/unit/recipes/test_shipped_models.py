"""Recipes of published models say what those models are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.pictures.palettes import named_palette
from orchestrator.recipe import load_recipe, shipped_recipes

PUBLISHED = [name for name in shipped_recipes() if name != "segformer-tiny"]
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "recipe.md"
SIZES = ("b0", "b1", "b2", "b3", "b4", "b5")


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_recipe_is_named_after_the_model_that_it_fetches(name: str) -> None:
    recipe = load_recipe(name)
    family, size = name.split("-")[:2]
    plain = recipe.checkpoint.source.lower().replace("_", "-")

    assert f"{family}-{size}" in plain
    assert recipe.checkpoint.revision == "main"
    # Where a checkpoint says at which size it was trained, that is the recipe's.
    trained = re.search(r"-(\d+)-(\d+)$", plain)
    if trained is not None and family == "segformer":
        assert recipe.export.shape[2:] == tuple(map(int, trained.groups()))


@pytest.mark.parametrize(("data", "count"), [("cityscapes", 19), ("ade20k", 150)])
def test_each_segformer_is_there_with_the_classes_of_each_data_set(data: str, count: int) -> None:
    found = [name for name in PUBLISHED if data in name]
    classes = tuple(named_palette(data))

    assert {name.split("-")[1] for name in found} == set(SIZES)
    assert len(classes) == count
    assert all(load_recipe(name).classes == classes for name in found)
    assert {load_recipe(name).head.op for name in found} == {"argmax", "none"}


def test_the_classes_of_ade20k_have_the_ids_of_the_benchmark() -> None:
    classes = list(named_palette("ade20k"))

    wanted = {0: "wall", 12: "person", 20: "car", 80: "bus", 136: "traffic light", 149: "flag"}
    assert {number: classes[number] for number in wanted} == wanted


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_reference_lists_it(name: str) -> None:
    text = REFERENCE.read_text(encoding="utf-8").partition("## Keys")[0]
    size = name.split("-")[1]
    listed = name if f"`{name}`" in text else name.replace(f"-{size}-", "-b0-")

    assert f"`{listed}`" in text
    assert f"`{size}`" in text or f"`{name}`" in text
