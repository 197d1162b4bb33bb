"""What is on an image: an answer is (C,) float32 scores, the larger the likelier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from orchestrator.domain import Agreement, Recipe
from orchestrator.resampling import interval_of_mean
from orchestrator.tasks.scores import finite_mean, vector_cosine

#: How many of the best classes are compared and drawn.
FIRST = 5
_BACKGROUND, _BAR, _TEXT = (24, 24, 24), (70, 130, 180), (235, 235, 235)


def answer(output: NDArray[np.generic], recipe: Recipe) -> NDArray[np.float32]:
    """Give the scores of an output, (1, C) or with further axes of length 1."""
    scores = output.reshape(-1)
    if scores.size != max(output.shape) or not np.issubdtype(output.dtype, np.floating):
        raise ValueError(f"{output.dtype} {list(output.shape)} are not the scores of classes")
    if recipe.classes and scores.size != len(recipe.classes):
        raise ValueError(f"{scores.size} scores, the recipe has {len(recipe.classes)} classes")
    return scores.astype(np.float32)


def compare(
    references: Sequence[NDArray[np.generic]],
    others: Sequence[NDArray[np.generic]],
    recipe: Recipe,  # noqa: ARG001 - what every task is given
) -> Agreement:
    """Give the share of images with the same first class.

    Figures: `top5`, the share where the reference's first class is among the other's five first,
    and `cosine` of the scores.
    """
    pairs = list(zip(references, others, strict=True))
    best = [(_best(a), _best(b)) for a, b in pairs]
    same = [float(a[:1] == b[:1] != []) for a, b in best]
    among = [float(a != [] and a[0] in b) for a, b in best]
    cosines = [vector_cosine(a, b) for a, b in pairs]
    return Agreement(
        share=float(np.mean(same)),
        miou=None,
        per_image=tuple(same),
        images=len(same),
        interval=interval_of_mean(same),
        figures={"top5": float(np.mean(among)), "cosine": finite_mean(cosines)},
    )


def _best(scores: NDArray[np.generic]) -> list[int]:
    """Give the first classes, the best before; none where a score is no number."""
    values = scores.astype(np.float64)
    if not np.isfinite(values).all():
        return []
    return [int(index) for index in np.argsort(-values, kind="stable")[:FIRST]]


def shares(scores: NDArray[np.generic]) -> NDArray[np.float64]:
    """Give the softmax; all 0 where a score is no number."""
    values = scores.astype(np.float64)
    if not np.isfinite(values).all():
        return np.zeros(values.shape)
    grown: NDArray[np.float64] = np.exp(values - values.max())
    return np.asarray(grown / grown.sum(), dtype=np.float64)


def paint(
    answer: NDArray[np.generic],
    recipe: Recipe,
    reference: NDArray[np.generic] | None = None,  # noqa: ARG001 - a bar is as long as its share
) -> NDArray[np.uint8]:
    """Draw a bar for each of the first five classes, at the input's size."""
    _, _, height, width = recipe.export.shape
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    pen, row = ImageDraw.Draw(sheet), height / FIRST
    font = ImageFont.load_default(max(8, min(round(row * 0.4), width // 12)))
    portions = shares(answer)
    for place, index in enumerate(np.argsort(-portions, kind="stable")[:FIRST]):
        top, share = place * row, float(portions[index])
        end = max(1.0, share * (width - 1))
        pen.rectangle((0, top + row * 0.62, end, top + row * 0.9), fill=_BAR)
        text = f"{share:.0%} {label(recipe, int(index))}"
        pen.text((2, top + row * 0.08), text, fill=_TEXT, font=font)
    return np.asarray(sheet, dtype=np.uint8)


def label(recipe: Recipe, index: int) -> str:
    """Name a class; where the recipe lists none, by its number."""
    return recipe.classes[index] if index < len(recipe.classes) else f"class {index}"


def differs(
    reference: NDArray[np.generic],
    other: NDArray[np.generic],
    recipe: Recipe,  # noqa: ARG001 - what every task is given
) -> NDArray[np.float32]:
    """Give (1, 1): how much of the softmax lies on other classes (total variation distance)."""
    apart = np.abs(shares(reference) - shares(other)).sum() / 2
    return np.full((1, 1), apart, dtype=np.float32)
