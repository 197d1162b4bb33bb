"""Where a few noisy values lie, and how far they scatter; robust against spikes. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Makes the median absolute deviation the standard deviation of a normal distribution.
_MAD = 1.4826
_EPSILON = 1e-12
#: A value is a spike where it is so many standard deviations from the median, but never where it
#: is nearer than the one share, and always where it is farther than the other.
_SPIKE_DEVIATIONS = 6.0
_NEAR, _FAR = 0.05, 0.15


def centre(values: Floats) -> float:
    """Give where logarithms of times lie: see `centres`."""
    return float(centres([values])[0])


def centres(rows: Sequence[Floats]) -> Floats:
    """Give where the values of each row lie, logarithms of times all of them.

    The median of all pairwise means, which is nearly as good as the mean (Hodges and Lehmann,
    Annals of Mathematical Statistics 34, 1963), with spikes taken out. Rows are not empty.
    """
    found = np.empty(len(rows))
    by_length: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        by_length.setdefault(len(row), []).append(place)
    for length, places in by_length.items():
        table = without_spikes(np.stack([rows[place] for place in places]))
        first, second = np.triu_indices(length)
        found[places] = np.median((table[:, first] + table[:, second]) / 2, axis=1)
    return found


def without_spikes(table: Floats) -> Floats:
    """Put the median of its row in the place of each spike; logarithms of times, (rows, values)."""
    middle = np.median(table, axis=1, keepdims=True)
    away = np.abs(table - middle)
    scale = _MAD * np.median(away, axis=1, keepdims=True)
    spikes = away > np.clip(_SPIKE_DEVIATIONS * scale, _NEAR, _FAR)
    return np.where(spikes, middle, table)


def spread(residuals: Floats, freedom_lost: float = 0.0) -> float:
    """Give the standard deviation of values around 0; `freedom_lost` is the share that was fitted.

    0 for no values.
    """
    if len(residuals) == 0:
        return 0.0
    found = _MAD * float(np.median(np.abs(residuals)))
    return found / math.sqrt(max(1 - freedom_lost, _EPSILON))
