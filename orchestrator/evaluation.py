"""What is known to be true of the evaluation images: the class of every pixel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from orchestrator.domain import ImageSource, Recipe
from orchestrator.errors import ConfigError
from orchestrator.images import fitted, generator_of, image_files

Mask = NDArray[np.uint8]

_HINT = "a mask is an 8-bit grey PNG whose values are class ids; 255 is ignored"
#: Of these modes, what Pillow would show as ids is something else.
_NOT_IDS = {
    "1": "has 1 bit per pixel",
    "P": "has a palette: it is not sure that its indices are class ids",
    "I;16": "has 16 bits per pixel",
    "I;16B": "has 16 bits per pixel",
    "I": "has more than 8 bits per pixel",
}


def has_masks(recipe: Recipe) -> bool:
    """Say whether the classes of the evaluation images are known.

    A generator knows them where the recipe's classes are those that it draws.
    """
    source = recipe.evaluation
    if recipe.checkpoint.task != "semantic-segmentation":
        return False
    if source.generator is not None:
        return bool(recipe.classes == generator_of(source.generator).CLASSES)
    return source.masks is not None


def masks_of(recipe: Recipe) -> Iterator[Mask]:
    """Give the (H, W) mask of each evaluation image, in order, at the size of the model's input.

    Ids that are no class of the recipe stay as they are: they do not count.

    Raises:
        ConfigError: a mask is missing, is not readable, is no map of class ids, has another size
            than its image, or has no pixel of any class.
    """
    _, _, height, width = recipe.export.shape
    source = recipe.evaluation
    if source.generator is not None:
        draw = generator_of(source.generator).draw_scene
        for seed in range(source.seed, source.seed + source.count):
            yield draw(seed, height, width).labels
        return
    for image in image_files(source, "evaluation"):
        mask = _mask_of(image, source)
        ids = np.asarray(
            fitted(mask, height, width, recipe.preprocess, Image.Resampling.NEAREST), dtype=np.uint8
        )
        if not (ids < len(recipe.classes)).any():
            found = ", ".join(map(str, np.unique(ids)[:8]))
            raise ConfigError(
                f"mask {_path_of(image, source)} has no pixel of the {len(recipe.classes)} "
                f"classes, its values are {found}",
                f"{_HINT}; ids of another labelling have to be mapped first",
            )
        yield ids


def check_masks(recipe: Recipe) -> int:
    """Read all masks and give how many there are, so that nothing is begun with a bad one."""
    return sum(1 for _ in masks_of(recipe)) if has_masks(recipe) else 0


def _path_of(image: Path, source: ImageSource) -> Path:
    return Path(source.masks or "") / f"{image.stem}.png"


def _mask_of(image: Path, source: ImageSource) -> Image.Image:
    """Read the mask of an image as it is, in the image's own size."""
    path = _path_of(image, source)
    try:
        with Image.open(path) as opened:
            mask, mode = opened.copy(), opened.mode
        with Image.open(image) as opened:
            size = ImageOps.exif_transpose(opened).size
    except FileNotFoundError as error:
        raise ConfigError(
            f"image {image.name} has no mask: {path} is not there",
            "each mask is named as its image, with .png; or leave the masks out",
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ConfigError(f"mask {path} cannot be read: {error}", _HINT) from error
    if mode != "L":
        what = _NOT_IDS.get(mode, f"has the channels {mode}")
        raise ConfigError(f"mask {path} {what}", _HINT)
    if mask.size != size:
        (width, height), (wanted_width, wanted_height) = mask.size, size
        raise ConfigError(
            f"mask {path} is {width}x{height}, its image {image.name} is "
            f"{wanted_width}x{wanted_height}",
            "mask and image must have the same size",
        )
    return mask
