"""Pictures from whole numbers: chance, shapes and light that are the same bytes everywhere.

Lengths are in thousandths of the picture's height, so a drawing does not depend on its resolution.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Mask = NDArray[np.bool_]
Grid = NDArray[np.int64]

#: The height of every picture.
UNIT: Final = 1000


class Dice:
    """Chance, from the raw stream of PCG64: the one stream that NumPy promises not to change."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def between(self, low: int, high: int) -> int:
        """Give a whole number of low..high, both included."""
        return low + int(self._bits.random_raw()) % (high - low + 1)

    def chance(self, percent: int) -> bool:
        """Say yes so many times in a hundred."""
        return self.between(1, 100) <= percent

    def pick(self, colours: tuple[Colour, ...], spread: int = 14) -> Colour:
        """Give one of the colours, a little lighter, darker or tinted."""
        red, green, blue = colours[self.between(0, len(colours) - 1)]
        off = self.between(-spread, spread)
        return (red + off, green + off + self.between(-4, 4), blue + off + self.between(-4, 4))

    def noise(self, *shape: int) -> Grid:
        """Give values of -15..15, small ones more often."""
        raw = np.asarray(self._bits.random_raw(shape), dtype=np.uint64)
        first, second = raw & np.uint64(15), (raw >> np.uint64(8)) & np.uint64(15)
        return first.astype(np.int64) - second.astype(np.int64)


class Canvas:
    """A picture and its labels in the making; `x` and `y` are the pixels' centres."""

    def __init__(self, height: int, width: int) -> None:
        self.image: Grid = np.zeros((height, width, 3), np.int64)
        self.labels = np.zeros((height, width), np.uint8)
        self.y: Grid = ((2 * np.arange(height) + 1) * UNIT // (2 * height))[:, None]
        self.x: Grid = ((2 * np.arange(width) + 1) * UNIT // (2 * height))[None, :]
        self.right = UNIT * width // height

    def paint(self, mask: Mask, colour: Colour, label: int) -> None:
        """Cover the mask with a colour and a class."""
        window = _window(mask)
        self.image[window][mask[window]] = colour
        self.labels[window][mask[window]] = label

    def shade(self, mask: Mask, percent: int) -> None:
        """Leave so much of the light on the mask; what it shows stays what it is."""
        window = _window(mask)
        self.image[window][mask[window]] *= percent
        self.image[window][mask[window]] //= 100

    def box(self, left: int, top: int, right: int, bottom: int) -> Mask:
        """Give the pixels of a rectangle."""
        return (self.x >= left) & (self.x < right) & (self.y >= top) & (self.y < bottom)

    def oval(self, centre: tuple[int, int], radius_x: int, radius_y: int) -> Mask:
        """Give the pixels of an ellipse."""
        across, down = (self.x - centre[0]) * radius_y, (self.y - centre[1]) * radius_x
        return across * across + down * down <= (radius_x * radius_y) ** 2

    def taper(self, centre: int, top: tuple[int, int], bottom: tuple[int, int]) -> Mask:
        """Give a trapezoid: `top` and `bottom` are (y, half width)."""
        (high, narrow), (low, wide) = top, bottom
        half = narrow + (wide - narrow) * (self.y - high) // (low - high)
        return (abs(self.x - centre) < half) & (self.y >= high) & (self.y < low)

    def light(self, dice: Dice) -> NDArray[np.uint8]:
        """Give the picture in some daylight, with uneven surfaces and sensor noise."""
        patches = dice.noise(32, 64)[self.y // 32 % 32, self.x // 32 % 64]
        grain = dice.noise(*self.labels.shape, 3)
        level, warmth = dice.between(72, 112), dice.between(-8, 8)
        tint = np.array([level + warmth, level, level - warmth])
        lit = (self.image + patches[:, :, None] // 2) * tint // 100 + grain // 2
        picture: NDArray[np.uint8] = np.clip(lit, 0, 255).astype(np.uint8)
        return picture


def _window(mask: Mask) -> tuple[slice, slice]:
    """Give the rows and columns that hold all of a mask: most shapes are small."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return slice(0), slice(0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
