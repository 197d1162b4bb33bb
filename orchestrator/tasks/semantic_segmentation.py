"""The class of every pixel: an answer is (h, w) int32 class ids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import Agreement, Recipe
from orchestrator.segmentation import agreement, class_map, colours_of


def answer(output: NDArray[np.generic], recipe: Recipe) -> NDArray[np.int32]:
    """Give the class ids of an output: of class ids, or of (1, C, h, w) logits."""
    return class_map(output, recipe.head.axis)


def compare(
    references: Sequence[NDArray[np.generic]],
    others: Sequence[NDArray[np.generic]],
    recipe: Recipe,
) -> Agreement:
    """Give the share of pixels with the same class, and the mIoU."""
    maps = [[one.astype(np.int32, copy=False) for one in side] for side in (references, others)]
    return agreement(maps[0], maps[1], len(recipe.classes), recipe.classes)


def paint(
    answer: NDArray[np.generic],
    recipe: Recipe,
    reference: NDArray[np.generic] | None = None,  # noqa: ARG001 - a class has its own colour
) -> NDArray[np.uint8]:
    """Colour the classes by the recipe's palette."""
    return colours_of(answer.astype(np.int32, copy=False), recipe.palette)


def differs(
    reference: NDArray[np.generic],
    other: NDArray[np.generic],
    recipe: Recipe,  # noqa: ARG001 - what every task is given
) -> NDArray[np.float32]:
    """Give 1 where the class is another, else 0."""
    return np.asarray(reference != other, dtype=np.float32)
