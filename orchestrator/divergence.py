"""Where two machines part that run the same model: its tensors, compared in the graph's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.tasks.scores import vector_cosine

Tensors = Mapping[str, NDArray[np.generic]]

#: A simulator and its board do the same integer arithmetic; rounding differs at most.
MIN_ALIKE = 0.999


@dataclass(frozen=True, slots=True)
class TensorDifference:
    """One tensor of two makers, over all images.

    Attributes:
        alike: cosine of the two; of integers the share of equal values. 0 where one has a value
            that is no number, or another shape.
        max_abs_error: the largest difference; None where the two have no shape in common.
        largest: the largest value of the first, without its sign.
    """

    name: str
    alike: float
    max_abs_error: float | None
    largest: float

    def __str__(self) -> str:
        """The finding in words."""
        if self.max_abs_error is None:
            return f"{self.name}: of another shape"
        return (
            f"{self.name}: {self.alike:.5f} alike, max abs error {self.max_abs_error:.4g} "
            f"(values up to {self.largest:.4g})"
        )


def compare_tensors(
    expected: Sequence[Tensors], found: Sequence[Tensors], names: Sequence[str]
) -> tuple[TensorDifference, ...]:
    """Compare the named tensors of the same images, one dict for each, in the order of `names`."""
    return tuple(
        _compare(name, [one[name] for one in expected], [one.get(name) for one in found])
        for name in names
    )


def first_apart(
    differences: Sequence[TensorDifference], min_alike: float
) -> TensorDifference | None:
    """Give the first tensor that is less alike than that; None: they agree on all."""
    return next((one for one in differences if one.alike < min_alike), None)


def in_graph_order(outputs: Sequence[str], own: Sequence[str]) -> list[str]:
    """Order the outputs of a model as it computes them: its `own` come last."""
    return [*(name for name in outputs if name not in own), *own]


def _compare(
    name: str, expected: Sequence[NDArray[np.generic]], found: Sequence[NDArray[np.generic] | None]
) -> TensorDifference:
    a = np.concatenate([one.ravel().astype(np.float64) for one in expected])
    largest = float(np.abs(a).max())
    there = [one for one in found if one is not None]
    if [one.shape for one in there] != [one.shape for one in expected]:
        return TensorDifference(name, 0.0, None, largest)
    b = np.concatenate([one.ravel().astype(np.float64) for one in there])
    if not np.isfinite(b).all() or not np.isfinite(a).all():
        return TensorDifference(name, 0.0, np.inf, largest)
    whole = not np.issubdtype(expected[0].dtype, np.floating)
    alike = float((a == b).mean()) if whole else vector_cosine(a, b)
    return TensorDifference(name, alike, float(np.abs(a - b).max()), largest)
