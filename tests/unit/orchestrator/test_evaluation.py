from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from orchestrator.domain import ImageSource, Recipe
from orchestrator.errors import ConfigError
from orchestrator.evaluation import check_masks, has_masks, masks_of
from orchestrator.overrides import Overrides, with_overrides
from orchestrator.recipe import load_recipe

Spoil = Callable[[Path], None]


def ids(height: int = 16, width: int = 32) -> NDArray[np.uint8]:
    """Three classes in stripes, and a corner that is ignored."""
    mask = np.arange(width, dtype=np.uint8)[np.newaxis].repeat(height, axis=0) * 3 // width
    mask = mask.astype(np.uint8)
    mask[:2, :2] = 255
    return mask


@pytest.fixture
def labelled(tmp_path: Path, recipe: Recipe) -> Recipe:
    """The small recipe with two images and their masks; the model sees 8x16."""
    images, masks = tmp_path / "images", tmp_path / "masks"
    images.mkdir()
    masks.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (32, 16), (90, 90, 90)).save(images / f"{name}.jpg")
        Image.fromarray(ids()).save(masks / f"{name}.png")
    source = ImageSource(str(images), None, 0, 10, str(masks))
    return replace(recipe, evaluation=source)


def test_a_mask_is_brought_to_the_models_input_by_its_nearest_pixels(labelled: Recipe) -> None:
    first, second = masks_of(labelled)

    assert first.shape == (8, 16)
    assert (first == second).all()
    assert set(np.unique(first)) == {0, 1, 2, 255}
    assert first[0, 0] == 255
    assert first[4].tolist() == [0] * 5 + [1] * 6 + [2] * 5


def test_a_mask_is_cropped_as_its_image_is(labelled: Recipe) -> None:
    square = replace(labelled.export, shape=(1, 3, 8, 8))
    how = replace(labelled.preprocess, fit="crop", crop_edge=8)

    first, _ = masks_of(replace(labelled, export=square, preprocess=how))

    assert first.shape == (8, 8)
    assert first[4].tolist() == [0, 1, 1, 1, 1, 1, 1, 2]


def test_without_masks_nothing_is_known(labelled: Recipe) -> None:
    assert has_masks(labelled)
    without = replace(labelled, evaluation=replace(labelled.evaluation, masks=None))
    assert not has_masks(without)
    assert check_masks(without) == 0


def test_a_generator_knows_its_classes_where_the_recipe_has_the_same(recipe: Recipe) -> None:
    demo = load_recipe("segformer-tiny")

    assert has_masks(demo)
    assert check_masks(demo) == 16
    assert next(masks_of(demo)).shape == (128, 256)
    assert not has_masks(recipe)  # it draws streets as well, and calls the classes by other names


def test_only_the_images_that_are_used_want_masks(labelled: Recipe) -> None:
    (Path(str(labelled.evaluation.masks)) / "b.png").unlink()

    one = replace(labelled, evaluation=replace(labelled.evaluation, count=1))

    assert check_masks(one) == 1


def _remove(path: Path) -> None:
    path.unlink()


def _garbage(path: Path) -> None:
    path.write_bytes(b"no picture")


def _smaller(path: Path) -> None:
    Image.fromarray(ids(8, 16)).save(path)


def _palette(path: Path) -> None:
    image = Image.fromarray(ids()).convert("P")
    image.putpalette([0, 0, 0] * 256)
    image.save(path)


def _colour(path: Path) -> None:
    Image.fromarray(ids()).convert("RGB").save(path)


def _deep(path: Path) -> None:
    Image.fromarray(ids().astype(np.uint16)).save(path)


def _bits(path: Path) -> None:
    Image.fromarray(ids()).convert("1").save(path)


def _strange(path: Path) -> None:
    Image.fromarray(ids() // 2 + 100).save(path)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_remove, r"^image b\.jpg has no mask: .*/masks/b\.png is not there$"),
        (_garbage, r"^mask .*/masks/b\.png cannot be read: "),
        (_smaller, r"^mask .*/b\.png is 16x8, its image b\.jpg is 32x16$"),
        (_palette, r"^mask .*/b\.png has a palette"),
        (_colour, r"^mask .*/b\.png has the channels RGB$"),
        (_deep, r"^mask .*/b\.png has 16 bits per pixel$"),
        (_bits, r"^mask .*/b\.png has 1 bit per pixel$"),
        (_strange, r"^mask .*/b\.png has no pixel of the 3 classes, its values are 100, 101, 227$"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_bad_mask_is_named_with_what_is_wrong(labelled: Recipe, spoil: Spoil, said: str) -> None:
    spoil(Path(str(labelled.evaluation.masks)) / "b.png")

    with pytest.raises(ConfigError, match=said) as caught:
        check_masks(labelled)

    assert caught.value.hint


def test_masks_on_the_command_line_go_with_a_folder_of_images(
    labelled: Recipe, recipe: Recipe, tmp_path: Path
) -> None:
    masks = Path(str(labelled.evaluation.masks))

    both = with_overrides(recipe, Overrides(images=tmp_path / "images", masks=masks))
    alone = with_overrides(labelled, Overrides(images=tmp_path / "images"))

    assert both.evaluation.masks == str(masks)
    assert alone.evaluation.masks is None  # the recipe's are of other images
    with pytest.raises(ConfigError, match="the evaluation images come from no folder"):
        with_overrides(recipe, Overrides(masks=masks))
