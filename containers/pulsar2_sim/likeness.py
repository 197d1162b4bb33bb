"""How alike two tensors are: cosine and mean squared error, over as many samples as come."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]

#: Elements that are widened to float64 at once.
_CHUNK = 2**22


class Likeness:
    """Sums over pairs of tensors, in float64."""

    def __init__(self) -> None:
        self._product = self._left = self._right = self._error = 0.0
        self._count = 0

    def add(self, left: Array, right: Array) -> None:
        """Take in a pair of the same size."""
        for one, other in _chunks(left, right):
            self._product += float(one @ other)
            self._left += float(one @ one)
            self._right += float(other @ other)
            difference = one - other
            self._error += float(difference @ difference)
            self._count += one.size

    @property
    def cosine(self) -> float:
        """Give the cosine of the angle between both; two that are all zero are alike."""
        if self._left == 0 or self._right == 0:
            return 1.0 if self._left == self._right else 0.0
        return self._product / math.sqrt(self._left * self._right)

    @property
    def mse(self) -> float:
        """Give the mean squared error."""
        return self._error / self._count if self._count else 0.0


def _chunks(left: Array, right: Array) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    one, other = left.reshape(-1), right.reshape(-1)
    if one.size != other.size:
        raise ValueError(f"tensors of {one.size} and {other.size} elements cannot be compared")
    for start in range(0, one.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        yield one[part].astype(np.float64), other[part].astype(np.float64)
