"""A Hugging Face image processor, as its `to_dict()` tells it → a recipe's `preprocess`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrator.domain import Json, Preprocess
from orchestrator.errors import ConfigError

#: Pillow's numbers, as the files have them.
_RESAMPLE: dict[int, Literal["nearest", "lanczos", "bilinear", "bicubic"]] = {
    0: "nearest",
    1: "lanczos",
    2: "bilinear",
    3: "bicubic",
}
_SIZE_HINT = "say what size the model is to be fed: --size HEIGHTxWIDTH"
#: From this edge on ConvNeXt's processor stretches, below it crops (its own documentation).
_CONVNEXT_CROPS_BELOW = 384


@dataclass(frozen=True, slots=True)
class Seen:
    """How a model sees images: `notes` say where a recipe cannot do the same."""

    how: Preprocess
    height: int
    width: int
    notes: tuple[str, ...]


def read_processor(processor: Mapping[str, Json], size: tuple[int, int] | None) -> Seen:
    """Read how images become inputs; `size` is (H, W) where the processor's own is not wanted.

    Raises:
        ConfigError: it tells no size, or something that is no image processor's.
    """
    mean, std = _scaling(processor)
    own, fit, edge, notes = _geometry(processor)
    height, width = size or own or (0, 0)
    if not height:
        raise ConfigError("the image processor tells no size of the model's input", _SIZE_HINT)
    if fit == "crop" and edge is not None and size is not None and own is not None:
        edge = round(edge * max(size) / max(own))  # the same share of the image is cut off
    if edge is not None and edge < max(height, width):
        notes.append(f"transformers pads images of edge {edge}; here they are enlarged to cover")
        edge = None
    resample = processor.get("resample", 2)
    how = Preprocess(
        mean,
        std,
        "BGR" if processor.get("do_flip_channel_order") else "RGB",
        fit,
        edge,
        _RESAMPLE.get(resample if isinstance(resample, int) else 2, "bilinear"),
    )
    return Seen(how, height, width, tuple(notes))


def _scaling(
    processor: Mapping[str, Json],
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Give mean and standard deviation on 0..255.

    transformers scales by a factor, may shift to -1..1, and then normalises; EfficientNet's divides
    by the deviation once more.
    """
    factor = _number(processor, "rescale_factor", 1 / 255) if _on(processor, "do_rescale") else 1.0
    shift = 1.0 if processor.get("rescale_offset") else 0.0
    mean, std = [0.0] * 3, [1.0] * 3
    if _on(processor, "do_normalize"):
        mean, std = _three(processor, "image_mean"), _three(processor, "image_std")
    twice = _three(processor, "image_std") if processor.get("include_top") else [1.0] * 3
    means = [(one + shift) / factor for one in mean]
    stds = [one * again / factor for one, again in zip(std, twice, strict=True)]
    (m0, m1, m2), (s0, s1, s2) = map(_rounded, means), map(_rounded, stds)
    return (m0, m1, m2), (s0, s1, s2)


def _rounded(value: float) -> float:
    return float(f"{value:.8g}")


def _geometry(
    processor: Mapping[str, Json],
) -> tuple[tuple[int, int] | None, Literal["stretch", "crop"], int | None, list[str]]:
    """Give (H, W), how images are brought to it, the edge to crop from, and what differs."""
    size, crop = _size(processor.get("size")), _size(processor.get("crop_size"))
    if not _on(processor, "do_resize"):
        size = {}
    notes = []
    if processor.get("keep_aspect_ratio"):
        multiple = processor.get("ensure_multiple_of", 1)
        notes.append(
            "transformers keeps the aspect ratio, to a multiple of "
            f"{multiple} px; at a fixed input size images are stretched"
        )
    shortest = size.get("shortest_edge")
    if shortest is not None and "crop_pct" in processor:
        if shortest >= _CONVNEXT_CROPS_BELOW:
            return (shortest, shortest), "stretch", None, notes
        from_edge = int(shortest / _number(processor, "crop_pct", 1.0))
        return (shortest, shortest), "crop", from_edge, notes
    if processor.get("do_center_crop") and {"height", "width"} <= crop.keys():
        edge = shortest or size.get("height")
        if shortest is None and edge is not None:
            notes.append("transformers stretches images to a square before the crop; here not")
        return (crop["height"], crop["width"]), "crop", edge, notes
    if shortest is not None:
        return (shortest, shortest), "crop", shortest, notes
    if {"height", "width"} <= size.keys():
        return (size["height"], size["width"]), "stretch", None, notes
    return None, "stretch", None, notes


def _size(value: Json) -> dict[str, int]:
    if isinstance(value, int):
        return {"height": value, "width": value}
    if not isinstance(value, Mapping):
        return {}
    return {name: one for name, one in value.items() if isinstance(one, int)}


def _on(processor: Mapping[str, Json], key: str) -> bool:
    return processor.get(key) is True


def _number(processor: Mapping[str, Json], key: str, default: float) -> float:
    value = processor.get(key)
    return float(value) if isinstance(value, int | float) and value else default


def _three(processor: Mapping[str, Json], key: str) -> list[float]:
    """Give one number per channel. Raises ConfigError."""
    value = processor.get(key)
    values = value if isinstance(value, list) else [value] * 3
    numbers = [float(one) for one in values if isinstance(one, int | float)]
    if len(numbers) != 3:  # noqa: PLR2004 - red, green, blue
        raise ConfigError(
            f"preprocessor_config.json: {key} is {value!r}, not one number for each of 3 channels",
            "orch feeds colour images only",
        )
    return numbers
