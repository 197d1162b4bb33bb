"""Where a tensor's range is cut: Percentile, MSE and KL, each on a histogram."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scales import SIXTEEN_BITS, levels, signed

BINS = 2048
PERCENTILE = 99.99
Range = tuple[float, float]

_CANDIDATES = np.linspace(1.0, 0.02, 99)
_KL_CANDIDATES = np.linspace(1.0, 0.1, 46)
_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of a tensor's values in bins of one width between `low` and `high`.

    Attributes:
        zeros: how many values are exactly 0, which every quantized type holds exactly.
    """

    counts: NDArray[np.int64]
    low: float
    high: float
    zeros: int

    @property
    def centres(self) -> NDArray[np.float64]:
        """The middle of each bin."""
        width = (self.high - self.low) / len(self.counts)
        return np.asarray(self.low + width * (np.arange(len(self.counts)) + 0.5), np.float64)


def clipped(histogram: Histogram, method: str, kind: str) -> Range:
    """Give the range that a method leaves for a quantized type."""
    if not histogram.counts.sum() or histogram.low >= histogram.high:
        return histogram.low, histogram.high
    return _METHODS[method](histogram, kind)


def _percentile(histogram: Histogram, _: str) -> Range:
    """Cut the same share off both ends; PERCENTILE of all values are left."""
    total = histogram.counts.sum()
    share = np.cumsum(histogram.counts) / total
    cut = (1 - PERCENTILE / 100) / 2
    width = (histogram.high - histogram.low) / len(histogram.counts)
    first = int(np.searchsorted(share, cut, side="right"))
    last = int(np.searchsorted(share, 1 - cut))
    return histogram.low + first * width, histogram.low + (last + 1) * width


def _mse(histogram: Histogram, kind: str) -> Range:
    """Search each end in turn for the smallest squared error: rounding inside, cutting outside."""
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    if signed(kind):
        bound = max(-low, high) * _CANDIDATES
        best = bound[np.argmin(_squared_errors(histogram, -bound, bound, kind))]
        return -float(best), float(best)
    best_low, best_high = low, high
    for _ in range(_ROUNDS):
        highs = high * _CANDIDATES
        errors = _squared_errors(histogram, np.full_like(highs, best_low), highs, kind)
        best_high = float(highs[np.argmin(errors)])
        lows = low * _CANDIDATES
        errors = _squared_errors(histogram, lows, np.full_like(lows, best_high), kind)
        best_low = float(lows[np.argmin(errors)])
    return best_low, best_high


def _squared_errors(
    histogram: Histogram, lows: NDArray[np.float64], highs: NDArray[np.float64], kind: str
) -> NDArray[np.float64]:
    """Give the squared error of each candidate range; rounding costs step² / 12 a value."""
    centres, counts = histogram.centres, histogram.counts.astype(np.float64)
    cut = centres - np.clip(centres, lows[:, None], highs[:, None])
    inside = (cut == 0) @ counts - histogram.zeros
    steps = (highs - lows) / levels(kind)
    errors: NDArray[np.float64] = (cut**2) @ counts + np.maximum(inside, 0) * steps**2 / 12
    return errors


def _kl(histogram: Histogram, kind: str) -> Range:
    """Shrink both ends alike; take the range whose steps tell least apart from the values.

    16 bits have more steps than the histogram has bins: the whole range is kept.
    """
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    if kind in SIXTEEN_BITS:
        return low, high
    best = min(_KL_CANDIDATES, key=lambda share: _divergence(histogram, low, high, share, kind))
    return float(low * best), float(high * best)


def _divergence(histogram: Histogram, low: float, high: float, share: float, kind: str) -> float:
    """Give the relative entropy of the cut values to the same after quantization."""
    centres, counts = histogram.centres, histogram.counts.astype(np.float64)
    inside = (centres >= low * share) & (centres <= high * share)
    if not inside.any():
        return np.inf
    kept = counts[inside]
    cut = kept.copy()
    cut[0] += counts[centres < low * share].sum()
    cut[-1] += counts[centres > high * share].sum()
    step = (high - low) * share / levels(kind)
    group = np.floor((centres[inside] - low * share) / step).astype(np.int64)
    filled = kept > 0
    sums = np.bincount(group, kept)
    sizes = np.bincount(group, filled.astype(np.float64))
    spread = np.where(filled, (sums / np.maximum(sizes, 1))[group], 0)
    if not spread.sum():
        return np.inf
    wanted, given = cut / cut.sum(), spread / spread.sum()
    seen = wanted > 0
    return float(np.sum(wanted[seen] * np.log(wanted[seen] / np.maximum(given[seen], 1e-12))))


_METHODS: Mapping[str, Callable[[Histogram, str], Range]] = {
    "Percentile": _percentile,
    "MSE": _mse,
    "KL": _kl,
}
