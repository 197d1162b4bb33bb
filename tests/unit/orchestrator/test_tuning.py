from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.domain import Json, Recipe
from orchestrator.tuning import Grid, Point, Tried, keys_of, mark_best, variant

PLAIN = Point("NPU3", "MinMax", smooth_quant=False, u16_layers=0)


def test_a_grid_gives_every_combination_in_order() -> None:
    points = Grid(("NPU1", "NPU3"), ("MinMax",), (False, True), (0,)).points()

    assert points == [
        Point("NPU1", "MinMax", smooth_quant=False, u16_layers=0),
        Point("NPU1", "MinMax", smooth_quant=True, u16_layers=0),
        Point("NPU3", "MinMax", smooth_quant=False, u16_layers=0),
        Point("NPU3", "MinMax", smooth_quant=True, u16_layers=0),
    ]


def test_a_plain_point_puts_no_keys_over_the_recipe(recipe: Recipe) -> None:
    chosen = variant(recipe, PLAIN, ["worst"])

    assert keys_of(recipe, PLAIN, ["worst"]) == {}
    assert chosen.compile.pulsar2 == recipe.compile.pulsar2


def test_a_point_becomes_target_method_and_keys(recipe: Recipe) -> None:
    point = Point("NPU1", "KL", smooth_quant=True, u16_layers=2)

    chosen = variant(recipe, point, ["a", "b", "c"]).compile

    assert (str(chosen.target), chosen.calibration_method) == ("AX650/NPU1", "KL")
    assert chosen.pulsar2 == {
        "quant": {
            "enable_smooth_quant": True,
            "layer_configs": [{"layer_names": ["a", "b"], "data_type": "U16"}],
        }
    }


def test_the_layers_that_a_recipe_raises_itself_stay_raised(recipe: Recipe) -> None:
    own: dict[str, Json] = {
        "quant": {"layer_configs": [{"op_type": "Softmax", "data_type": "U16"}]}
    }
    recipe = replace(recipe, compile=replace(recipe.compile, pulsar2=own))

    keys = keys_of(recipe, replace(PLAIN, u16_layers=1), ["a"])

    assert keys == {
        "quant": {
            "layer_configs": [
                {"op_type": "Softmax", "data_type": "U16"},
                {"layer_names": ["a"], "data_type": "U16"},
            ]
        }
    }


def tried(agreement: float | None, size: int, cycles: int | None) -> Tried:
    """A row; the size is in kB."""
    error = "" if agreement else "it failed"
    return Tried(PLAIN, agreement, agreement, 1000 * size, cycles, error=error)


@pytest.mark.parametrize(
    ("rows", "best"),
    [
        ([tried(0.9, 10, 10)], [True]),
        ([tried(0.9, 10, 10), tried(0.8, 10, 10)], [True, False]),
        ([tried(0.9, 10, 10), tried(0.8, 9, 10)], [True, True]),
        ([tried(0.9, 10, 10), tried(0.8, 11, 9)], [True, True]),
        ([tried(0.9, 10, 10), tried(0.900001, 10, 10)], [True, True]),
        ([tried(0.9, 10, 10), tried(0.9, 10, 10)], [True, True]),
        ([tried(None, 0, 0), tried(0.1, 10, 10)], [False, True]),
        ([tried(0.9, 10, None), tried(0.8, 10, None)], [True, False]),
    ],
)
def test_the_best_are_those_that_nothing_beats(rows: list[Tried], best: list[bool]) -> None:
    assert [one.best for one in mark_best(rows)] == best
