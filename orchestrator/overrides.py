"""What the command line puts over a recipe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from orchestrator.domain import ImageSource, Recipe
from orchestrator.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Overrides:
    """Options of a command; `None` leaves the recipe as it is.

    `checkpoint`, `calibration`, `images` and `masks` are folders, in place of whatever the recipe
    names, and `checkpoint` may be an ONNX file; with `images` alone there are no masks.
    """

    checkpoint: Path | None = None
    calibration: Path | None = None
    images: Path | None = None
    iterations: int | None = None
    masks: Path | None = None


def with_overrides(recipe: Recipe, over: Overrides) -> Recipe:
    """Give the recipe as the command line wants it."""
    checkpoint, compiled, run = recipe.checkpoint, recipe.compile, recipe.run
    if over.checkpoint is not None:
        kind: Literal["hf", "onnx"] = "onnx" if over.checkpoint.suffix == ".onnx" else "hf"
        checkpoint = replace(checkpoint, source=str(over.checkpoint), revision=None, kind=kind)
    if over.iterations is not None:
        run = replace(run, iterations=over.iterations)
    calibration = _from_folder(compiled.calibration, over.calibration)
    return replace(
        recipe,
        checkpoint=checkpoint,
        compile=replace(compiled, calibration=calibration),
        evaluation=_with_masks(_from_folder(recipe.evaluation, over.images), over.masks),
        run=run,
    )


def _from_folder(images: ImageSource, folder: Path | None) -> ImageSource:
    if folder is None:
        return images
    return replace(images, folder=str(folder), generator=None, masks=None)


def _with_masks(images: ImageSource, masks: Path | None) -> ImageSource:
    if masks is None:
        return images
    if images.folder is None:
        raise ConfigError(
            f"--masks {masks}: the evaluation images come from no folder",
            "name theirs with --images DIR",
        )
    return replace(images, masks=str(masks))
