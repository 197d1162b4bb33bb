"""How far a figure over images can be trusted: bootstrap intervals over the images. Pure.

The same images give the same interval: the resamples are drawn from one seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]

#: Fewer images give no interval: resampling them again and again shows too little of the others.
MIN_IMAGES = 10
RESAMPLES = 2000
_SEED = 20_240_229
#: The 97.5 % quantile of the standard normal distribution.
_Z = 1.959963984540054


@lru_cache(maxsize=8)
def weights(images: int) -> Floats:
    """Give how often each resample has each image: (RESAMPLES, images), rows add up to `images`."""
    drawn = np.random.default_rng(_SEED).multinomial(
        images, np.full(images, 1 / images), size=RESAMPLES
    )
    return drawn.astype(np.float64)


def interval(resampled: Floats, images: int) -> Interval | None:
    """Give the 95 % interval of a figure from its resamples; None: too few images.

    The percentiles are those of Hesterberg's expanded interval (The American Statistician 69,
    2015, section 5.3): the plain ones are too narrow where there are few images.

    Args:
        resampled: the figure on each of the RESAMPLES, without NaN.
        images: how many there are.
    """
    if images < MIN_IMAGES:
        return None
    tail = _normal_share(-math.sqrt(images / (images - 1)) * _t_quantile(images - 1))
    low, high = np.quantile(resampled, (tail, 1 - tail))
    return float(low), float(high)


def interval_of_mean(per_image: Sequence[float]) -> Interval | None:
    """Give the 95 % interval of the mean of a figure that every image has; None: too few images."""
    images = len(per_image)
    if images < MIN_IMAGES:
        return None
    return interval(weights(images) @ np.asarray(per_image, dtype=np.float64) / images, images)


def _normal_share(z: float) -> float:
    """Give the share of a standard normal distribution below `z`."""
    return (1 + math.erf(z / math.sqrt(2))) / 2


def _t_quantile(freedom: int) -> float:
    """Give the 97.5 % quantile of Student's t; off by less than 0.001 from 9 degrees on.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    z = _Z
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
