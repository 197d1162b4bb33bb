"""How alike the answers of two makers are, on the same images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Agreement:
    """The answers of one maker against those of another, over all images.

    What `share` counts depends on the task: pixels with the same class, images with the same first
    class, pixels of about the same depth, features of the same direction (docs/reference/tasks.md).

    Attributes:
        share: how much is alike, 0..1.
        miou: mean over the classes that occur in either map, 0..1; None: the task has no classes.
        per_image: `share` of each image, in order.
        images: how many.
        interval: 95 % bootstrap interval of `share` over the images; None: too few images.
        per_class: IoU of each class that occurs, by its name.
        figures: what else the task compares, by name.
        miou_interval: 95 % bootstrap interval of `miou` over the images; None: as for `interval`.
    """

    share: float
    miou: float | None
    per_image: tuple[float, ...]
    images: int
    interval: tuple[float, float] | None = None
    per_class: Mapping[str, float] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    miou_interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class OutputDifference:
    """One output of the compiled model under `pulsar2 run` against the float model's.

    Attributes:
        dtype: numpy's name of the compiled output's type.
        cosine: similarity over all images; None for class ids and for outputs that are all zero.
        max_abs_error: largest difference; None for class ids.
    """

    name: str
    dtype: str
    cosine: float | None
    max_abs_error: float | None
