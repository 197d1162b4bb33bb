"""The contact sheet of a run: images in rows, the worst first, what each board said in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from orchestrator.pictures.panels import Pixels
from orchestrator.pictures.sheet import BACKGROUND, DIM, save, write

#: However large the run, the sheet is for one look.
MOST_IMAGES, MOST_BOARDS = 12, 8
CELL_PX = 240
_TEXT_PX = 14
_BAR, _GAP = 20, 4


@dataclass(frozen=True, slots=True)
class Row:
    """One image: how it looks, and what the float model and each board said of it.

    Attributes:
        pixels: the image and the float model's answer, each (h, w, 3) of one size.
        boards: by board, its answer, of the same size.
        shares: by board, how much is as the float model says, 0..1.
    """

    name: str
    pixels: tuple[Pixels, Pixels]
    boards: Mapping[str, Pixels]
    shares: Mapping[str, float]

    @property
    def worst(self) -> float:
        """The lowest share of any board; without one it has nothing to say."""
        return min(self.shares.values(), default=1.0)


def cell_size(height: int, width: int) -> tuple[int, int]:
    """Give (width, height) of a cell for images of that size."""
    scale = CELL_PX / max(height, width)
    return (max(1, round(width * scale)), max(1, round(height * scale)))


def worst_boards(shares: Mapping[str, Sequence[float]]) -> list[str]:
    """Choose the boards with the lowest mean share, in the order of names."""
    by_share = sorted(shares, key=lambda name: (float(np.mean(shares[name])), name))
    return sorted(by_share[:MOST_BOARDS])


def write_contact_sheet(path: Path, title: str, rows: Sequence[Row], boards: Sequence[str]) -> None:
    """Write the sheet as a PNG; the caller has chosen and ordered rows and boards."""
    height, width = rows[0].pixels[0].shape[:2]
    wide = max(width, CELL_PX // 2) + _GAP
    deep = height + _BAR + _GAP
    size = (_GAP + (2 + len(boards)) * wide, 2 * _BAR + _GAP + len(rows) * deep)
    sheet = Image.new("RGB", size, BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    write(pen, (_GAP, 2), title, size[0] - 2 * _GAP, _TEXT_PX)
    for column, heading in enumerate(("input", "float ONNX", *boards)):
        write(pen, (_GAP + column * wide, _BAR + 2), heading, wide - _GAP, _TEXT_PX, DIM)
    for number, row in enumerate(rows):
        top = 2 * _BAR + number * deep
        cells = [*row.pixels, *(row.boards.get(board) for board in boards)]
        words = [row.name, "", *(_share(row.shares.get(board)) for board in boards)]
        for column, (cell, said) in enumerate(zip(cells, words, strict=True)):
            left = _GAP + column * wide
            if cell is not None:
                sheet.paste(Image.fromarray(cell), (left, top))
            write(pen, (left, top + height + 2), said, wide - _GAP, _TEXT_PX)
    save(sheet, path)


def _share(share: float | None) -> str:
    return "no answer" if share is None else f"{share:.2%} alike"
