from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.domain import Json, Preprocess
from orchestrator.trained_preprocess import preprocess_warnings, trained_preprocess

IMAGENET: dict[str, Json] = {
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}
RECIPE = Preprocess((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), "RGB", "crop", 9, "bicubic")


def read(folder: Path, config: Json) -> Preprocess | None:
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    return trained_preprocess(folder, RECIPE)


def test_a_checkpoints_numbers_are_brought_to_0_to_255(tmp_path: Path) -> None:
    found = read(tmp_path, IMAGENET)

    assert found is not None
    assert found.mean == pytest.approx(RECIPE.mean)
    assert found.std == pytest.approx(RECIPE.std)
    assert (found.colour, found.fit, found.crop_edge) == ("RGB", "crop", 9)
    assert preprocess_warnings(RECIPE, found) == []


@pytest.mark.parametrize(
    ("config", "mean", "std", "colour"),
    [
        ({**IMAGENET, "rescale_factor": 0.5}, 0.97, 0.458, "RGB"),
        ({**IMAGENET, "do_rescale": False}, 0.485, 0.229, "RGB"),
        ({**IMAGENET, "do_normalize": False}, 0.0, 255.0, "RGB"),
        ({"do_normalize": False, "do_flip_channel_order": True}, 0.0, 255.0, "BGR"),
    ],
)
def test_switches_of_the_processor_count(
    tmp_path: Path, config: Json, mean: float, std: float, colour: str
) -> None:
    found = read(tmp_path, config)

    assert found is not None
    assert found.mean[0] == pytest.approx(mean)
    assert found.std[0] == pytest.approx(std)
    assert found.colour == colour


@pytest.mark.parametrize(
    "config",
    [
        [],
        {},
        {"image_mean": [1]},
        {**IMAGENET, "image_std": "x"},
        {**IMAGENET, "rescale_factor": 0},
    ],
)
def test_a_file_that_does_not_tell_is_no_file(tmp_path: Path, config: Json) -> None:
    assert read(tmp_path, config) is None


def test_a_checkpoint_without_the_file_does_not_tell(tmp_path: Path) -> None:
    assert trained_preprocess(tmp_path, RECIPE) is None


def test_numbers_from_last_to_first_are_named_as_such() -> None:
    turned = replace(RECIPE, mean=(103.53, 116.28, 123.675))

    (warning,) = preprocess_warnings(turned, RECIPE)

    assert warning == (
        "preprocess.mean is [103.53, 116.28, 123.675], the checkpoint's preprocessor_config.json "
        "says [123.675, 116.28, 103.53] in the order RGB: the same numbers from last to first"
    )


def test_a_recipe_that_turns_everything_round_differs_in_the_colour_alone() -> None:
    turned = Preprocess(RECIPE.mean[::-1], RECIPE.std[::-1], "BGR")

    assert preprocess_warnings(turned, RECIPE) == [
        "preprocess.colour is BGR, the checkpoint's preprocessor_config.json says RGB"
    ]


def test_numbers_of_another_scale_say_so() -> None:
    small = replace(RECIPE, std=(0.229, 0.224, 0.225))

    (warning,) = preprocess_warnings(small, RECIPE)

    assert warning.startswith("preprocess.std is [0.229, 0.224, 0.225]")
    assert warning.endswith("on 0..255")
