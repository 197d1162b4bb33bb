"""One model's answer to one image, over the image: the painted classes, and where two differ."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Size = tuple[int, int]

#: How much of the image shows through an answer.
_IMAGE_SHARE = 0.4
#: Colours of a difference of 0, 0.5 and 1; they stand out from a grey image, also on paper.
_RAMP = np.array([[110, 0, 60], [255, 60, 30], [255, 235, 110]], dtype=np.float64)
_LEAST_PX, _MOST_PX = 512, 960
_LEAST_SHOWN = 0.01


def shown_size(height: int, width: int) -> Size:
    """Give (width, height) in which an image of a sheet is drawn.

    Small ones are enlarged by a whole number, so that their pixels stay pixels.
    """
    longer = max(height, width)
    if longer < _LEAST_PX:
        times = -(-_LEAST_PX // longer)
        return (width * times, height * times)
    scale = min(1.0, _MOST_PX / longer)
    return (max(1, round(width * scale)), max(1, round(height * scale)))


def plain(pixels: Pixels, size: Size) -> Pixels:
    """Give an image, (h, w, 3), in a size (width, height)."""
    return np.asarray(_smooth(pixels, size), dtype=np.uint8)


def painted(pixels: Pixels, answer: Pixels, size: Size, *, over: bool) -> Pixels:
    """Give a painted answer, (h, w, 3) of any size; `over` the image, which shines through."""
    picture = Image.fromarray(answer).resize(size, Image.Resampling.NEAREST)
    if over:
        picture = Image.blend(picture, _smooth(pixels, size), _IMAGE_SHARE)
    return np.asarray(picture, dtype=np.uint8)


def largest(differs: NDArray[np.float32]) -> float:
    """Give the difference that is drawn brightest: small ones are to be seen as well."""
    return max(_LEAST_SHOWN, float(np.nan_to_num(differs, nan=1.0).max())) if differs.any() else 1.0


def heat(pixels: Pixels, differs: NDArray[np.float32], size: Size) -> Pixels:
    """Give where two answers differ, (h, w), 0..1, on the dimmed image."""
    grey = np.asarray(_smooth(pixels, size).convert("L"), dtype=np.float64) * 0.35
    share = np.asarray(
        Image.fromarray(np.nan_to_num(differs, nan=1.0).astype(np.float32)).resize(
            size, Image.Resampling.NEAREST
        )
    )
    share = (share / largest(differs)).clip(0, 1)
    opacity = np.sqrt(share)[..., np.newaxis]
    blended = grey[..., np.newaxis] * (1 - opacity) + ramp(share) * opacity
    return cast("Pixels", blended.round().astype(np.uint8))


def ramp(share: NDArray[np.float32]) -> NDArray[np.float64]:
    """Give the colours of differences of any shape, 0..1; a last axis of RGB is added."""
    stops = np.linspace(0, 1, len(_RAMP))
    return np.stack([np.interp(share, stops, _RAMP[:, band]) for band in range(3)], axis=-1)


def _smooth(pixels: Pixels, size: Size) -> Image.Image:
    image = Image.fromarray(pixels)
    larger = size[0] > image.width
    how = Image.Resampling.NEAREST if larger else Image.Resampling.BOX
    return image if image.size == size else image.resize(size, how)
