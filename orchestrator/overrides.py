"""What the command line puts over a recipe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.domain import ImageSource, Recipe


@dataclass(frozen=True, slots=True)
class Overrides:
    """Options of a command; `None` leaves the recipe as it is.

    `checkpoint`, `calibration` and `images` are folders, in place of whatever the recipe names.
    """

    checkpoint: Path | None = None
    calibration: Path | None = None
    images: Path | None = None
    iterations: int | None = None


def with_overrides(recipe: Recipe, over: Overrides) -> Recipe:
    """Give the recipe as the command line wants it."""
    checkpoint, compiled, run = recipe.checkpoint, recipe.compile, recipe.run
    if over.checkpoint is not None:
        checkpoint = replace(checkpoint, source=str(over.checkpoint), revision=None)
    if over.iterations is not None:
        run = replace(run, iterations=over.iterations)
    calibration = _from_folder(compiled.calibration, over.calibration)
    return replace(
        recipe,
        checkpoint=checkpoint,
        compile=replace(compiled, calibration=calibration),
        evaluation=_from_folder(recipe.evaluation, over.images),
        run=run,
    )


def _from_folder(images: ImageSource, folder: Path | None) -> ImageSource:
    return images if folder is None else replace(images, folder=str(folder), generator=None)
