"""Figures that several tasks share. None of them is NaN: what is no number is not alike."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def vector_cosine(first: NDArray[np.generic], second: NDArray[np.generic]) -> float:
    """Give the cosine of two arrays as long vectors; 1 for two of zeros, 0 for one or for NaN."""
    a, b = first.ravel().astype(np.float64), second.ravel().astype(np.float64)
    return float(row_cosines(a[np.newaxis], b[np.newaxis])[0])


def row_cosines(first: NDArray[np.generic], second: NDArray[np.generic]) -> NDArray[np.float64]:
    """Give the cosine of each pair of rows of two (n, d) arrays, (n,), -1..1."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    sound: NDArray[np.bool_] = np.isfinite(np.concatenate([a, b], axis=1)).all(axis=1)
    a, b = np.where(sound[:, None], a, 0), np.where(sound[:, None], b, 0)
    lengths = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    product = lengths[0] * lengths[1]
    both_zero = sound & (lengths[0] == 0) & (lengths[1] == 0)
    cosines = np.einsum("nd,nd->n", a, b) / np.where(product > 0, product, 1)
    return np.where(both_zero, 1.0, np.clip(cosines, -1, 1))


def finite_mean(values: Iterable[float]) -> float:
    """Give the mean of those that are numbers; 0 where none is."""
    found = [value for value in values if np.isfinite(value)]
    return float(np.mean(found)) if found else 0.0
