"""What a backbone sees: an answer is (tokens, d) float32, the patches of the grid row by row.

In front of the patches may stand a class token and registers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import Agreement, Recipe
from orchestrator.resampling import interval_of_mean
from orchestrator.tasks.scores import finite_mean, row_cosines

#: A class token, and registers: DINOv2 and DINOv3 have four of them, others up to eight.
_MAX_PREFIX = 9
#: How much of the first components' values keeps its contrast in a picture.
_PERCENTILES = (2, 98)
_FOUR = 4


def answer(output: NDArray[np.generic], recipe: Recipe) -> NDArray[np.float32]:  # noqa: ARG001
    """Give the tokens of an output, (1, tokens, d), or (1, d, h, w) of a network without tokens."""
    if output.shape[0] != 1 or not np.issubdtype(output.dtype, np.floating):
        raise ValueError(f"{output.dtype} {list(output.shape)} are not the features of one image")
    if output.ndim == _FOUR:
        output = output.reshape(output.shape[1], -1).T[np.newaxis]
    if output.ndim != _FOUR - 1:
        raise ValueError(f"{list(output.shape)} is neither (1, tokens, d) nor (1, d, h, w)")
    return np.ascontiguousarray(output[0], dtype=np.float32)


def grid_of(tokens: int, height: int, width: int) -> tuple[int, int, int]:
    """Give (rows, columns, tokens in front) of the patches of an image of this size.

    Patches are square: of all sizes of patch, the one that leaves the fewest tokens over, and of
    these one that divides the image. Where none fits, the patches are one row.
    """
    best = (_MAX_PREFIX + 1, 1, (1, tokens))
    for patch in range(1, min(height, width) + 1):
        rows, columns = height // patch, width // patch
        left = tokens - rows * columns
        uneven = int(height % patch + width % patch > 0)
        if left >= 0 and (left, uneven) < best[:2]:
            best = (left, uneven, (rows, columns))
    left, _, (rows, columns) = best
    return (rows, columns, left) if left <= _MAX_PREFIX else (1, tokens, 0)


def compare(
    references: Sequence[NDArray[np.generic]],
    others: Sequence[NDArray[np.generic]],
    recipe: Recipe,
) -> Agreement:
    """Give the mean cosine of the patches' features, not below 0.

    Figures: `min_cosine` and `p05_cosine` of the patches of all images, and `cls_cosine`, the mean
    of the first token's, where there is one in front of the patches.
    """
    _, _, height, width = recipe.export.shape
    front = grid_of(len(references[0]), height, width)[2]
    cosines = [row_cosines(a, b) for a, b in zip(references, others, strict=True)]
    patches = [one[front:] for one in cosines]
    per_image = tuple(max(0.0, float(one.mean())) for one in patches)
    everything = np.concatenate(patches)
    figures = {
        "min_cosine": float(everything.min()),
        "p05_cosine": float(np.quantile(everything, 0.05)),
    }
    if front:
        figures["cls_cosine"] = finite_mean(float(one[0]) for one in cosines)
    return Agreement(
        share=float(np.mean(per_image)),
        miou=None,
        per_image=per_image,
        images=len(per_image),
        interval=interval_of_mean(per_image),
        figures=figures,
    )


def paint(
    answer: NDArray[np.generic], recipe: Recipe, reference: NDArray[np.generic] | None = None
) -> NDArray[np.uint8]:
    """Show the reference's first three principal components as red, green and blue.

    Each component's sign is the one that makes its largest coefficient positive.
    """
    _, _, height, width = recipe.export.shape
    rows, columns, front = grid_of(len(answer), height, width)
    basis = np.nan_to_num(answer if reference is None else reference)[front:].astype(np.float64)
    values = np.nan_to_num(answer)[front:].astype(np.float64)
    centre = basis.mean(axis=0)
    axes = _components(basis - centre)
    low, high = np.percentile((basis - centre) @ axes, _PERCENTILES, axis=0)
    span = np.where(high > low, high - low, 1)
    shown = np.clip(((values - centre) @ axes - low) / span, 0, 1)
    return np.asarray(shown * 255 + 0.5, dtype=np.uint8).reshape(rows, columns, 3)


def _components(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the first three directions of (n, d) features, (d, 3); missing ones are 0."""
    axes = np.linalg.svd(centred, full_matrices=False)[2][:3]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    axes = np.where(largest < 0, -axes, axes)
    return np.pad(axes, ((0, 3 - len(axes)), (0, 0))).T


def differs(
    reference: NDArray[np.generic], other: NDArray[np.generic], recipe: Recipe
) -> NDArray[np.float32]:
    """Give 1 - cosine of each patch, (rows, columns), not above 1."""
    _, _, height, width = recipe.export.shape
    rows, columns, front = grid_of(len(reference), height, width)
    apart = np.clip(1 - row_cosines(reference, other), 0, 1)[front:]
    return apart.astype(np.float32).reshape(rows, columns)
