from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from orchestrator.domain import Recipe
from orchestrator.errors import ConfigError
from orchestrator.pictures.palettes import colours_for, generated, named_palette
from orchestrator.plan import optimize_wanted
from orchestrator.recipe import load_recipe

#: The class list of the recipe in conftest, which the tests write anew.
CLASSES = '{road: "#804080", sky: "#4682b4", car: "#00008e"}'


def load(folder: Path, text: str, classes: str) -> Recipe:
    path = folder / "coloured.yaml"
    path.write_text(text.replace(f"classes: {CLASSES}", classes))
    return load_recipe(str(path))


def test_the_data_sets_have_all_their_classes() -> None:
    city, ade = named_palette("cityscapes"), named_palette("ade20k")

    assert (len(city), len(ade)) == (19, 150)
    assert list(city)[:2] == ["road", "sidewalk"]
    assert (next(iter(ade)), list(ade)[149]) == ("wall", "flag")
    assert (city["car"], ade["sky"], ade["person"]) == ((0, 0, 142), (6, 230, 230), (150, 5, 61))


def test_a_thousand_generated_colours_differ_and_a_few_differ_clearly() -> None:
    assert len({generated(number) for number in range(1000)}) == 1000
    apart = [
        sum(abs(a - b) for a, b in zip(generated(one), generated(other), strict=True))
        for one, other in combinations(range(19), 2)
    ]
    assert min(apart) >= 50


def test_a_class_is_coloured_by_its_name_whatever_its_place() -> None:
    assert colours_for(["car", "zeppelin", "road"], "cityscapes") == (
        (0, 0, 142),
        generated(1),
        (128, 64, 128),
    )


@pytest.mark.parametrize(
    ("written", "names", "palette"),
    [
        ("classes: [road, moon]", ("road", "moon"), (generated(0), generated(1))),
        (
            "classes: [road, moon]\npalette: cityscapes",
            ("road", "moon"),
            ((128, 64, 128), generated(1)),
        ),
        (
            'classes: [road, moon]\npalette: ["#ff0000", "#00ff00"]',
            ("road", "moon"),
            ((255, 0, 0), (0, 255, 0)),
        ),
        (
            'classes: {road: "#010203", moon: null}',
            ("road", "moon"),
            ((1, 2, 3), generated(1)),
        ),
    ],
)
def test_classes_get_colours_in_every_way_they_may_be_written(
    tmp_path: Path,
    recipe_text: str,
    written: str,
    names: tuple[str, ...],
    palette: tuple[tuple[int, int, int], ...],
) -> None:
    recipe = load(tmp_path, recipe_text, written)

    assert (recipe.classes, recipe.palette) == (names, palette)


def test_a_palette_by_name_brings_its_classes(tmp_path: Path, recipe_text: str) -> None:
    recipe = load(tmp_path, recipe_text, "palette: ade20k")

    assert recipe.classes == tuple(named_palette("ade20k"))
    assert recipe.palette == tuple(named_palette("ade20k").values())


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (f"classes: {CLASSES}\npalette: cityscapes", "classes have their colours already"),
        ('classes: [road, moon]\npalette: ["#ff0000"]', "1 colours for 2 classes"),
        ("classes: [road, road]", "each wants a name of its own; more than once: road"),
        ("classes: [road]", "semantic-segmentation wants 2 or more"),
        ("classes: [road, moon]\npalette: pascal", "palette"),
    ],
)
def test_classes_and_palette_that_do_not_fit_are_refused(
    tmp_path: Path, recipe_text: str, written: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, recipe_text, written)


def test_layers_that_are_not_asked_for_leave_the_key_as_it_was(
    tmp_path: Path, recipe_text: str
) -> None:
    plain = load(tmp_path, recipe_text, f"classes: {CLASSES}")
    layered = load(tmp_path, recipe_text + "optimize: {layers: 3}\n", f"classes: {CLASSES}")

    fields = optimize_wanted(plain, "0" * 64, "images").fields
    assert not plain.layers
    assert "layers" not in fields
    assert optimize_wanted(layered, "0" * 64, "images").fields == {**fields, "layers": "3"}
