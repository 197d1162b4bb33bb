"""A sheet of one image: panels side by side, each with its caption, and a legend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from orchestrator.domain import Rgb
from orchestrator.pictures.panels import Pixels, ramp
from orchestrator.pictures.text import fit, font, readable, width_px

BACKGROUND: Rgb = (24, 24, 24)
LETTERS: Rgb = (235, 235, 235)
DIM: Rgb = (160, 160, 160)
_GAP = 6
_COLUMNS = 2
_NAME_PX = 260


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a legend: a colour, what it stands for, and its share of the picture, 0..1."""

    colour: Rgb
    label: str
    share: float | None = None

    def __str__(self) -> str:
        """Its words."""
        return self.label if self.share is None else f"{self.label} {self.share:.1%}"


@dataclass(frozen=True, slots=True)
class Panel:
    """One of a sheet's pictures, (h, w, 3) RGB; `scale` is the brightest difference, 0..1."""

    caption: str
    pixels: Pixels
    scale: float | None = None


def write_sheet(path: Path, title: str, panels: Sequence[Panel], legend: Sequence[Entry]) -> None:
    """Write panels of one size as a PNG, two in a row, under a title, above a legend."""
    height, width = panels[0].pixels.shape[:2]
    text_px = letter_px(width)
    bar = text_px + 2 * _GAP
    rows = -(-len(panels) // _COLUMNS)
    total = _COLUMNS * width + (_COLUMNS + 1) * _GAP
    lines = _lines(legend, total - 2 * _GAP, text_px)
    foot = len(lines) * bar + (_GAP if lines else 0)
    sheet = Image.new("RGB", (total, bar + rows * (height + bar + _GAP) + foot), BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    write(pen, (_GAP, _GAP // 2), title, total - 2 * _GAP, text_px + 2)
    for index, panel in enumerate(panels):
        left = _GAP + index % _COLUMNS * (width + _GAP)
        top = bar + index // _COLUMNS * (height + bar + _GAP)
        scale_px = 0 if panel.scale is None else min(width // 3, 10 * text_px)
        write(pen, (left, top + _GAP), panel.caption, width - scale_px - _GAP, text_px)
        if scale_px:
            at = (left + width, top + _GAP)
            _draw_scale(sheet, at, scale_px, text_px, f"{panel.scale:.0%}")
        sheet.paste(Image.fromarray(panel.pixels), (left, top + bar))
    for number, line in enumerate(lines):
        top = sheet.height - foot + number * bar + _GAP // 2
        for left, entry in line:
            _draw_entry(pen, (left + _GAP, top), entry, text_px)
    save(sheet, path)


def letter_px(width: int) -> int:
    """Give the size of letters that can be read beside a panel of that width."""
    return max(13, min(22, width // 38))


def write(
    pen: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    most_px: int,
    size_px: int,
    colour: Rgb = LETTERS,
) -> None:
    """Write a line, shortened where it is too wide."""
    pen.text(at, fit(text, most_px, size_px), fill=colour, font=font(size_px))


def save(sheet: Image.Image, path: Path) -> None:
    """Write a PNG with nothing in it but the picture: the same picture is the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, format="PNG", compress_level=3)  # 6 takes four times as long for 10 %


def _lines(legend: Sequence[Entry], most_px: int, text_px: int) -> list[list[tuple[int, Entry]]]:
    """Break a legend into lines, each entry with where it begins."""
    return list(_broken(legend, most_px, text_px))


def _broken(
    legend: Sequence[Entry], most_px: int, text_px: int
) -> Iterator[list[tuple[int, Entry]]]:
    line: list[tuple[int, Entry]] = []
    left = 0
    for entry in legend:
        wide = min(_NAME_PX, width_px(readable(str(entry)), text_px)) + 2 * text_px + _GAP
        if line and left + wide > most_px:
            yield line
            line, left = [], 0
        line.append((left, entry))
        left += wide
    if line:
        yield line


def _draw_entry(pen: ImageDraw.ImageDraw, at: tuple[int, int], entry: Entry, text_px: int) -> None:
    left, top = at
    box = (left, top + 2, left + text_px, top + text_px + 2)
    pen.rectangle(box, fill=entry.colour, outline=DIM)
    write(pen, (left + text_px + _GAP, top), str(entry), _NAME_PX, text_px)


def _draw_scale(
    sheet: Image.Image, at: tuple[int, int], wide: int, text_px: int, most: str
) -> None:
    """Draw what the colours of differences mean, its right upper corner at `at`."""
    right, top = at
    pen, bar = ImageDraw.Draw(sheet), wide - 5 * text_px
    left = right - wide + 2 * text_px
    shares = np.linspace(0, 1, bar, dtype=np.float32)
    strip = np.broadcast_to(ramp(shares).round().astype(np.uint8), (text_px - 2, bar, 3))
    sheet.paste(Image.fromarray(np.ascontiguousarray(strip)), (left, top + 3))
    for text, begins in (("0", left - text_px), (most, left + bar + _GAP)):
        write(pen, (begins, top), text, 3 * text_px, text_px, DIM)
