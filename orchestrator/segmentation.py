"""Class maps: how well two agree, and how they look. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import Agreement, Rgb
from orchestrator.resampling import MIN_IMAGES, interval, weights

ClassMap = NDArray[np.integer]


def class_map(output: NDArray[np.generic], axis: int) -> NDArray[np.int32]:
    """Give the (H, W) class ids of one image, from class ids or from (1, C, H, W) logits.

    Where a head's axis is not that of the classes, the rows of all channels stand under each other.
    """
    if np.issubdtype(output.dtype, np.floating) and output.shape[axis] > 1:
        output = output.argmax(axis=axis, keepdims=True)
    return output.reshape(-1, output.shape[-1]).astype(np.int32)


def confusion(reference: ClassMap, other: ClassMap, classes: int) -> NDArray[np.int64]:
    """Count pixels: (classes + 1, classes + 1), row = reference, column = other.

    The last row and column hold ids outside 0..classes-1.
    """
    size = classes + 1
    first = np.where((reference < 0) | (reference >= classes), classes, reference).astype(np.int64)
    second = np.where((other < 0) | (other >= classes), classes, other).astype(np.int64)
    counts = np.bincount((first * size + second).ravel(), minlength=size * size)
    return counts.reshape(size, size)


@dataclass(frozen=True, slots=True)
class Tally:
    """Pixels counted image by image: what every figure over class maps is made of.

    Attributes:
        both: (images, classes): of the class in either map.
        either: (images, classes): of the class in at least one.
        same: (images,): with the same id.
        pixels: (images,): that count.
    """

    both: NDArray[np.float64]
    either: NDArray[np.float64]
    same: NDArray[np.float64]
    pixels: NDArray[np.float64]

    def share(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the share of pixels with the same id, for each row of image weights."""
        return np.asarray((weights @ self.same) / (weights @ self.pixels), dtype=np.float64)

    def miou(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the mean IoU for each row of image weights; 0 where no class occurs.

        IoU of a class is |both| / |either| over all images; the mean is over the classes that
        occur in either map (Everingham et al., The PASCAL VOC Challenge, 2015).
        """
        both, either = weights @ self.both, weights @ self.either
        iou = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
        return np.asarray(iou.sum(axis=1) / np.maximum((either > 0).sum(axis=1), 1))

    def iou(self, names: Sequence[str]) -> dict[str, float]:
        """Give the IoU of each class that occurs, by its name."""
        both, either = self.both.sum(axis=0), self.either.sum(axis=0)
        return {
            name: float(both[index] / either[index])
            for index, name in enumerate(names)
            if either[index] > 0
        }


def tally(
    pairs: Iterable[tuple[ClassMap, ClassMap]], classes: int, *, ignoring: bool = False
) -> Tally:
    """Count the pixels of pairs of class maps, reference first; there is at least one pair.

    With `ignoring`, pixels whose id is no class in the reference do not count.
    """
    both, either, same, pixels = [], [], [], []
    for reference, other in pairs:
        counts, alike = confusion(reference, other, classes), reference == other
        if ignoring:
            counts[classes] = 0
            alike &= (reference >= 0) & (reference < classes)
        common = np.diag(counts)[:classes]
        both.append(common)
        either.append((counts.sum(axis=0) + counts.sum(axis=1))[:classes] - common)
        same.append(int(alike.sum()))
        pixels.append(int(counts.sum()))
    return Tally(*(np.array(one, dtype=np.float64) for one in (both, either, same, pixels)))


def agreement(
    references: Sequence[ClassMap],
    others: Sequence[ClassMap],
    classes: int,
    names: Sequence[str] = (),
) -> Agreement:
    """Compare the class maps of the same images, pair by pair; `names` are those of the classes."""
    return agreement_of(tally(zip(references, others, strict=True), classes), names)


def agreement_of(counted: Tally, names: Sequence[str]) -> Agreement:
    """Give the figures of what was counted, with intervals where there are images enough."""
    images = counted.pixels.size
    once = np.ones((1, images))
    share = miou = None
    if images >= MIN_IMAGES:
        drawn = weights(images)
        share = interval(counted.share(drawn), images)
        miou = interval(counted.miou(drawn), images)
    return Agreement(
        share=float(counted.share(once)[0]),
        miou=float(counted.miou(once)[0]),
        per_image=tuple((counted.same / counted.pixels).tolist()),
        images=images,
        interval=share,
        miou_interval=miou,
        per_class=counted.iou(names),
    )


def colours_of(classes: ClassMap, palette: Sequence[Rgb]) -> NDArray[np.uint8]:
    """Colour class ids; ids without a colour are black."""
    colours = np.array([*palette, (0, 0, 0)], dtype=np.uint8)
    known = np.where((classes < 0) | (classes >= len(palette)), len(palette), classes)
    return colours[known]
