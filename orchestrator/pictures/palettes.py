"""Colours of classes: those of well-known data sets, and generated ones for any number."""

from __future__ import annotations

import colorsys
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from orchestrator.domain import Rgb

#: Data sets whose colours people know, with their classes in the order of the ids.
PaletteName = Literal["cityscapes", "ade20k"]

_FILE = Path(__file__).parent / "palettes.json"
#: Steps of hue, saturation and lightness that fill the space evenly from the first colour on: the
#: powers of the root of x^4 = x + 1 (Roberts, The unreasonable effectiveness of quasirandom
#: sequences).
_STEPS = (0.8191725, 0.6710436, 0.5497005)


@cache
def named_palette(name: PaletteName) -> dict[str, Rgb]:
    """Give the classes of a data set in the order of their ids, each with its colour."""
    content: dict[str, dict[str, str]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return {label: rgb(colour) for label, colour in content[name].items()}


def rgb(colour: str) -> Rgb:
    """Read `#rrggbb`."""
    value = int(colour[1:], 16)
    return (value >> 16, value >> 8 & 255, value & 255)


def generated(number: int) -> Rgb:
    """Give the colour of the class with this number, unlike those of its neighbours."""
    hue, saturation, light = ((0.5 + number * step) % 1.0 for step in _STEPS)
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.35 + 0.65 * saturation, 0.4 + 0.6 * light)
    return (round(red * 255), round(green * 255), round(blue * 255))


def colours_for(classes: Sequence[str], name: PaletteName | None = None) -> tuple[Rgb, ...]:
    """Give each class its colour in a data set, by its name; a generated one to all others."""
    known = {} if name is None else named_palette(name)
    return tuple(known.get(one, generated(number)) for number, one in enumerate(classes))
