from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from orchestrator.pictures.contact import Row, cell_size, worst_boards, write_contact_sheet
from orchestrator.pictures.panels import heat, painted, shown_size
from orchestrator.pictures.sheet import Entry, Panel, write_sheet
from orchestrator.pictures.text import fit, readable, width_px


def flat(height: int, width: int, colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.broadcast_to(np.array(colour, np.uint8), (height, width, 3)).copy()


def read(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [
        (128, 256, (512, 256)),
        (224, 224, (672, 672)),
        (640, 1280, (960, 480)),
        (1024, 512, (480, 960)),
        (600, 800, (800, 600)),
        (1, 5000, (960, 1)),
    ],
)
def test_panels_are_of_a_size_to_be_looked_at(
    height: int, width: int, size: tuple[int, int]
) -> None:
    assert shown_size(height, width) == size


def test_what_differs_shines_and_what_does_not_is_grey() -> None:
    differs = np.zeros((2, 2), dtype=np.float32)
    differs[0, 1] = 1

    found = heat(flat(8, 8, (90, 180, 30)), differs, (8, 8)).astype(int)

    assert (found[:4, 4:] == (255, 235, 110)).all()
    dull = found[4:]
    assert (dull.max(axis=-1) == dull.min(axis=-1)).all()
    assert dull.max() < 100


def test_small_differences_are_drawn_on_a_scale_of_their_own() -> None:
    differs = np.array([[0.0, 0.05]], dtype=np.float32)

    found = heat(flat(4, 8, (0, 0, 0)), differs, (8, 4))

    assert (found[:, 4:] == (255, 235, 110)).all()
    assert not found[:, :4].any()


def test_a_difference_that_is_no_number_is_the_largest() -> None:
    differs = np.array([[np.nan, 0.0]], dtype=np.float32)

    assert (heat(flat(4, 8, (0, 0, 0)), differs, (8, 4))[:, :4] == (255, 235, 110)).all()


def test_an_answer_stays_sharp_when_it_is_enlarged() -> None:
    answer = np.array([[[255, 0, 0], [0, 0, 255]]], dtype=np.uint8)

    found = painted(flat(4, 8, (0, 0, 0)), answer, (8, 4), over=False)

    assert (found[:, :4] == (255, 0, 0)).all()
    assert (found[:, 4:] == (0, 0, 255)).all()


def test_a_sheet_has_every_panel_whole_and_the_colours_of_its_legend(tmp_path: Path) -> None:
    colours = [(200, 10, 10), (10, 200, 10), (10, 10, 200), (200, 200, 10)]
    panels = [Panel(f"panel {one}", flat(256, 512, one)) for one in colours]
    legend = [Entry((1, 99, 201), "road", 0.25), Entry((201, 99, 1), "sky")]

    write_sheet(tmp_path / "new" / "sheet.png", "a title", panels, legend)

    sheet = read(tmp_path / "new" / "sheet.png")
    for colour in colours:
        assert (sheet == colour).all(axis=-1).sum() == 256 * 512
    for entry in legend:
        assert (sheet == entry.colour).all(axis=-1).sum() > 50


def test_the_same_sheet_is_the_same_file(tmp_path: Path) -> None:
    panels = [Panel("x", flat(256, 512, (9, 9, 9)), 0.5)]
    for name in ("a.png", "b.png"):
        write_sheet(tmp_path / name, "t", panels, [Entry((1, 2, 3), "road", 0.1)])

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_long_legend_goes_on_in_further_lines_inside_the_sheet(tmp_path: Path) -> None:
    legend = [Entry((250, 0, one), f"class number {one}", 0.01) for one in range(40)]

    write_sheet(tmp_path / "s.png", "t", [Panel("x", flat(64, 512, (9, 9, 9)))] * 4, legend)

    sheet = read(tmp_path / "s.png")
    assert all((sheet == entry.colour).all(axis=-1).any() for entry in legend)


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("street.png", "street.png"),
        ("<b>&amp;", "<b>&amp;"),
        ("two\nlines\x1b[31m", "two lines [31m"),
        ("Café 日本", "Cafe ??"),
    ],
)
def test_captions_are_drawn_as_they_are_written_as_far_as_the_font_goes(
    text: str, drawn: str
) -> None:
    assert readable(text) == drawn


def test_a_long_caption_keeps_both_its_ends() -> None:
    shorter = fit("frankfurt_000000_000294_leftImg8bit_of_board_ax650-17", 200, 14)

    assert shorter.startswith("frank")
    assert shorter.endswith("-17")
    assert width_px(shorter, 14) <= 200


def test_a_caption_without_any_room_is_left_out() -> None:
    assert fit("name", 0, 14) == ""


def test_a_contact_sheet_has_a_cell_for_every_answer(tmp_path: Path) -> None:
    wide, high = cell_size(128, 256)
    assert (wide, high) == (240, 120)
    cells = {"b1": flat(high, wide, (0, 200, 0)), "b2": flat(high, wide, (0, 0, 200))}
    sides = (flat(high, wide, (90, 0, 0)), flat(high, wide, (0, 90, 90)))
    rows = [
        Row("one", sides, cells, {"b1": 0.5, "b2": 0.9}),
        Row("two", sides, {"b1": cells["b1"]}, {"b1": 0.75}),
    ]

    write_contact_sheet(tmp_path / "c.png", "title", rows, ["b1", "b2"])

    sheet = read(tmp_path / "c.png")
    counts = [(sheet == colour).all(axis=-1).sum() for colour in ((0, 200, 0), (0, 0, 200))]
    assert counts == [2 * wide * high, wide * high]


def test_of_many_boards_the_worst_are_shown_by_name() -> None:
    shares = {f"b{number:02d}": [1 - number / 100, 1.0] for number in range(20)}

    assert worst_boards(shares) == [f"b{number}" for number in range(12, 20)]
