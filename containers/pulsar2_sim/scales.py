"""Scales and zero points of the quantized types."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LIMITS = {"U8": (0, 255), "S8": (-127, 127), "U16": (0, 65535), "S16": (-32767, 32767)}
_DTYPES = {"U8": np.uint8, "S8": np.int8, "U16": np.uint16, "S16": np.int16}
SIXTEEN_BITS = ("U16", "S16")
#: The smallest scale that is used: below it float32 products with it lose digits.
_SMALLEST = 1e-30


@dataclass(frozen=True, slots=True)
class Scale:
    """How a float tensor becomes integers: one scale and one zero point."""

    kind: str
    scale: np.float32
    zero: int

    @property
    def zero_point(self) -> NDArray[np.generic]:
        """The zero point in the type of the integers."""
        return np.array(self.zero, _DTYPES[self.kind])


def signed(kind: str) -> bool:
    """Say whether a type is signed; its zero point is 0 then, and its range symmetric."""
    return _LIMITS[kind][0] < 0


def levels(kind: str) -> int:
    """Give the number of steps of a type."""
    low, high = _LIMITS[kind]
    return high - low


def scale_of(low: float, high: float, kind: str) -> Scale:
    """Give the scale for a range, widened so that it holds 0 exactly. Raises AssertionError."""
    if not np.isfinite([low, high]).all():
        raise AssertionError(f"range {low:g} … {high:g} is not finite")
    least, most = _LIMITS[kind]
    low, high = min(low, 0.0), max(high, 0.0)
    if signed(kind):
        step = max(-low, high) / most
        return Scale(kind, np.float32(step if step > _SMALLEST else 1), 0)
    step = (high - low) / (most - least)
    if step <= _SMALLEST:
        return Scale(kind, np.float32(1), 0)
    zero = min(max(round(least - low / step), least), most)
    return Scale(kind, np.float32(step), zero)


def integers(array: NDArray[np.generic], scale: Scale) -> NDArray[np.generic]:
    """Quantize an array."""
    steps = np.rint(array.astype(np.float64) / float(scale.scale)) + scale.zero
    cut: NDArray[np.generic] = np.clip(steps, *_LIMITS[scale.kind]).astype(_DTYPES[scale.kind])
    return cut
