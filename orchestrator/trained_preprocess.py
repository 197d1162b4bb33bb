"""How the makers of a checkpoint prepare images, from its own preprocessor_config.json."""

from __future__ import annotations

import json
import math
from pathlib import Path

from orchestrator.domain import Json, Preprocess

_FILE = "preprocessor_config.json"
_TOLERANCE = 1e-3

Three = tuple[float, float, float]


def trained_preprocess(checkpoint: Path, recipe: Preprocess) -> Preprocess | None:
    """Give mean, standard deviation and colour order as the file says; None: there is none.

    What the file does not touch is the recipe's. On 0..255: (x * factor - mean) / std there is
    (x - mean / factor) / (std / factor) here.
    """
    try:
        config = json.loads((checkpoint / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict):
        return None
    factor = _number(config.get("rescale_factor"), 1 / 255)
    if config.get("do_rescale", True) is False:
        factor = 1.0
    normalised = config.get("do_normalize", True) is not False
    mean = _three(config.get("image_mean")) if normalised else (0.0, 0.0, 0.0)
    std = _three(config.get("image_std")) if normalised else (1.0, 1.0, 1.0)
    if mean is None or std is None or factor <= 0:
        return None
    flipped = config.get("do_flip_channel_order") is True
    return Preprocess(
        _over(mean, factor),
        _over(std, factor),
        "BGR" if flipped else "RGB",
        recipe.fit,
        recipe.crop_edge,
        recipe.resample,
    )


def preprocess_warnings(recipe: Preprocess, trained: Preprocess) -> list[str]:
    """Say in plain words where a recipe prepares images otherwise than the checkpoint's makers."""
    found = []
    if recipe.colour != trained.colour:
        found.append(
            f"preprocess.colour is {recipe.colour}, the checkpoint's {_FILE} says {trained.colour}"
        )
    for key in ("mean", "std"):
        ours, theirs = getattr(recipe, key), getattr(trained, key)
        if recipe.colour != trained.colour:
            theirs = theirs[::-1]
        if _same(ours, theirs):
            continue
        turned = _same(ours, theirs[::-1])
        why = "the same numbers from last to first" if turned else "on 0..255"
        found.append(
            f"preprocess.{key} is {_words(ours)}, the checkpoint's {_FILE} says {_words(theirs)} "
            f"in the order {recipe.colour}: {why}"
        )
    return found


def _number(value: Json, default: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return float(value)


def _three(value: Json) -> Three | None:
    if not isinstance(value, list) or len(value) != 3:  # noqa: PLR2004 - red, green and blue
        return None
    numbers = [one for one in value if isinstance(one, int | float) and math.isfinite(one)]
    return (numbers[0], numbers[1], numbers[2]) if len(numbers) == len(value) else None


def _over(three: Three, factor: float) -> Three:
    return (three[0] / factor, three[1] / factor, three[2] / factor)


def _same(ours: Three, theirs: Three) -> bool:
    pairs = zip(ours, theirs, strict=True)
    return all(math.isclose(a, b, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE) for a, b in pairs)


def _words(three: Three) -> str:
    return "[" + ", ".join(f"{one:g}" for one in three) + "]"
