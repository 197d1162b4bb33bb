"""Class maps: how well two agree, and how they look side by side. Pure but for the PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from orchestrator.domain import Agreement, Rgb

ClassMap = NDArray[np.integer]

#: How much of the image shows through the classes.
_IMAGE_SHARE = 0.4
_CAPTION_PX = 14


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


def agreement(
    references: Sequence[ClassMap], others: Sequence[ClassMap], classes: int
) -> Agreement:
    """Compare the class maps of the same images, pair by pair.

    IoU of a class is |both| / |either| over all images; the mean is over the classes that occur
    in either map (Everingham et al., The PASCAL VOC Challenge, 2015).
    """
    total = np.zeros((classes + 1, classes + 1), dtype=np.int64)
    per_image = []
    for reference, other in zip(references, others, strict=True):
        total += confusion(reference, other, classes)
        per_image.append(float((reference == other).mean()))
    both = np.diag(total)[:classes]
    either = (total.sum(axis=0) + total.sum(axis=1))[:classes] - both
    occurs = either > 0
    iou = both[occurs] / either[occurs]
    pixels = sum(reference.size for reference in references)
    same = sum(share * ref.size for share, ref in zip(per_image, references, strict=True))
    return Agreement(
        share=float(same / pixels),
        miou=float(iou.mean()) if iou.size else 0.0,
        per_image=tuple(per_image),
        images=len(per_image),
    )


def write_overlay(
    path: Path,
    pixels: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    other: NDArray[np.uint8],
    differs: NDArray[np.float32],
    captions: tuple[str, str, str, str],
) -> None:
    """Write a sheet of four: image, painted reference, painted other, and where the two differ.

    `differs` is (h, w), 0..1; the painted answers are (h, w, 3) RGB, of any size.
    """
    height, width = pixels.shape[:2]
    heat = (differs[..., np.newaxis] * np.array([255, 40, 40])).astype(np.uint8)
    panels = [
        pixels,
        _blend(pixels, reference),
        _blend(pixels, other),
        _blend(pixels // 3, heat, image_share=0.5),
    ]
    sheet = Image.new("RGB", (2 * width, 2 * (height + _CAPTION_PX)), (24, 24, 24))
    pen = ImageDraw.Draw(sheet)
    for index, (panel, caption) in enumerate(zip(panels, captions, strict=True)):
        left, top = index % 2 * width, index // 2 * (height + _CAPTION_PX)
        pen.text((left + 4, top + 1), caption, fill=(235, 235, 235))
        sheet.paste(Image.fromarray(panel), (left, top + _CAPTION_PX))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def colours_of(classes: ClassMap, palette: Sequence[Rgb]) -> NDArray[np.uint8]:
    """Colour class ids; ids without a colour are black."""
    colours = np.array([*palette, (0, 0, 0)], dtype=np.uint8)
    known = np.where((classes < 0) | (classes >= len(palette)), len(palette), classes)
    return colours[known]


def _blend(
    pixels: NDArray[np.uint8], classes: NDArray[np.uint8], image_share: float = _IMAGE_SHARE
) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    enlarged = Image.fromarray(classes).resize((width, height), Image.Resampling.NEAREST)
    return np.asarray(Image.blend(enlarged, Image.fromarray(pixels), image_share), dtype=np.uint8)
