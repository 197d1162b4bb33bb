"""How far everything is: an answer is (h, w) float32, depth or its inverse, as the model has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import Agreement, Recipe
from orchestrator.resampling import interval_of_mean
from orchestrator.tasks.scores import finite_mean

#: Two depths are alike when neither is 1.25 times the other: δ < 1.25 of Eigen, Puhrsch and Fergus,
#: Depth Map Prediction from a Single Image using a Multi-Scale Deep Network, NeurIPS 2014.
RATIO = 1.25
#: Ratios of what is nearly 0 say nothing: values below this share of the largest count as it.
_FLOOR = 0.01
_TINY = 1e-30
_LEAST_AXES = 3
#: Anchors of matplotlib's "inferno" colour map (CC0), dark to bright, evenly spread.
_ANCHORS = ("000004", "280b54", "65156e", "9f2a63", "d44842", "f57d15", "fac127", "fcffa4")

_Map = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Compared:
    share: float
    abs_rel: float
    rmse: float
    correlation: float


def answer(output: NDArray[np.generic], recipe: Recipe) -> NDArray[np.float32]:  # noqa: ARG001
    """Give the depths of an output, (1, h, w) or (1, 1, h, w)."""
    height, width = output.shape[-2:]
    flat = output.ndim < _LEAST_AXES or output.size != height * width
    if flat or not np.issubdtype(output.dtype, np.floating):
        raise ValueError(f"{output.dtype} {list(output.shape)} is not one map of depths")
    return output.reshape(height, width).astype(np.float32)


def compare(
    references: Sequence[NDArray[np.generic]],
    others: Sequence[NDArray[np.generic]],
    recipe: Recipe,  # noqa: ARG001 - what every task is given
) -> Agreement:
    """Give the share of pixels with δ < 1.25, each map brought to its reference's scale and shift.

    A network of relative depth knows neither, so both are fitted by least squares (Ranftl et al.,
    Towards Robust Monocular Depth Estimation, TPAMI 2022). Figures, after it: `abs_rel` and `rmse`,
    in the model's unit, and `correlation`.
    """
    found = [_compare(a, b) for a, b in zip(references, others, strict=True)]
    per_image = tuple(one.share for one in found)
    return Agreement(
        share=float(np.mean(per_image)),
        miou=None,
        per_image=per_image,
        images=len(found),
        interval=interval_of_mean(per_image),
        figures={
            name: finite_mean(getattr(one, name) for one in found)
            for name in ("abs_rel", "rmse", "correlation")
        },
    )


def _compare(reference: NDArray[np.generic], other: NDArray[np.generic]) -> _Compared:
    truth, found = reference.astype(np.float64), other.astype(np.float64)
    if not np.isfinite(truth).all() or not np.isfinite(found).all():
        return _Compared(0.0, np.inf, np.inf, 0.0)
    found = aligned(truth, found)
    floor = max(_FLOOR * float(np.abs(truth).max()), _TINY)
    a, b = np.maximum(truth, floor), np.maximum(found, floor)
    error = found - truth
    return _Compared(
        share=float((np.maximum(a / b, b / a) < RATIO).mean()),
        abs_rel=float((np.abs(error) / np.maximum(np.abs(truth), floor)).mean()),
        rmse=float(np.sqrt((error**2).mean())),
        correlation=_correlation(truth, found),
    )


def aligned(truth: _Map, found: _Map) -> _Map:
    """Bring a map to another's scale and shift; a scale below 0 would turn near into far."""
    spread = float(found.var())
    if spread == 0:  # nothing to scale by
        return found
    covariance = float(((found - found.mean()) * (truth - truth.mean())).mean())
    scale = max(0.0, covariance / spread)
    return np.asarray((found - found.mean()) * scale + truth.mean(), dtype=np.float64)


def _correlation(truth: _Map, found: _Map) -> float:
    """Give Pearson's; two flat maps are alike, one is not like one with relief."""
    spread = float(truth.std() * found.std())
    if spread == 0:
        return float(truth.std() == found.std())
    return float(((truth - truth.mean()) * (found - found.mean())).mean() / spread)


def paint(
    answer: NDArray[np.generic],
    recipe: Recipe,  # noqa: ARG001 - what every task is given
    reference: NDArray[np.generic] | None = None,
) -> NDArray[np.uint8]:
    """Colour small values dark and large ones bright, from the reference's least to its largest."""
    values = answer.astype(np.float64)
    least, span = _range(values if reference is None else reference.astype(np.float64))
    share = np.nan_to_num((values - least) / span, nan=0.0, posinf=1.0, neginf=0.0)
    table = np.array([[int(one[at : at + 2], 16) for at in (0, 2, 4)] for one in _ANCHORS])
    places = np.clip(share, 0, 1) * (len(table) - 1)
    steps = np.arange(len(table))
    channels = [np.interp(places, steps, table[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _range(values: _Map) -> tuple[float, float]:
    """Give the least value and how far the largest is above it, never 0."""
    found = values[np.isfinite(values)]
    if not found.size:
        return 0.0, 1.0
    return float(found.min()), float(found.max() - found.min()) or 1.0


def differs(
    reference: NDArray[np.generic],
    other: NDArray[np.generic],
    recipe: Recipe,  # noqa: ARG001 - what every task is given
) -> NDArray[np.float32]:
    """Give the difference after alignment, as a share of the reference's range."""
    truth, found = reference.astype(np.float64), other.astype(np.float64)
    if not np.isfinite(found).all() or not np.isfinite(truth).all():
        return np.ones(truth.shape, dtype=np.float32)
    _, span = _range(truth)
    apart = np.abs(aligned(truth, found) - truth) / span
    return np.clip(apart, 0, 1).astype(np.float32)
