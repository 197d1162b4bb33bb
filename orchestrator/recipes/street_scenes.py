"""Street scenes drawn from a seed, with the class of every pixel: data that needs no download.

One seed gives the same bytes on every machine: there is nothing in here but whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestrator.recipes.drawing import UNIT, Canvas, Dice
from orchestrator.recipes.street_life import LEAVES, draw_street_life, draw_tree
from orchestrator.recipes.street_plan import (
    BUILDING,
    CLASSES,
    LANE_MARKING,
    PALETTE,
    ROAD,
    SIDEWALK,
    SKY,
    VEGETATION,
    Street,
)

__all__ = [
    "CALIBRATION_SEED",
    "CLASSES",
    "EVALUATION_SEED",
    "HELD_OUT_SEED",
    "PALETTE",
    "TRAINING_SEED",
    "Scene",
    "draw_scene",
]

#: First seeds of four ranges that never meet, so that nothing is judged on what it has seen.
TRAINING_SEED: Final = 0
CALIBRATION_SEED: Final = 1_000_000
EVALUATION_SEED: Final = 2_000_000
HELD_OUT_SEED: Final = 3_000_000

_SKIES: Final = (
    ((88, 148, 216), (196, 222, 240)),
    ((124, 148, 176), (206, 212, 214)),
    ((96, 112, 176), (246, 194, 150)),
    ((60, 124, 204), (222, 232, 236)),
)
_CLOUD: Final = ((238, 240, 242),)
_WALLS: Final = ((172, 92, 72), (206, 182, 148), (150, 146, 144), (190, 150, 104), (120, 96, 92))
_GLASS: Final = ((58, 72, 92), (96, 124, 150), (232, 206, 130))
_GRASS: Final = ((104, 144, 72), (124, 148, 80))
_PAVING: Final = ((176, 168, 158), (158, 152, 150), (190, 172, 150))
_ASPHALT: Final = ((84, 84, 90), (104, 102, 104), (70, 74, 82))
_LINES: Final = ((232, 232, 224), (226, 226, 226), (230, 190, 70))


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture (H, W, 3), RGB, and the index into `CLASSES` of each of its pixels (H, W)."""

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def draw_scene(seed: int, height: int = 128, width: int = 256) -> Scene:
    """Draw the scene of a seed; another size of the same shape shows the same scene."""
    dice, canvas = Dice(seed), Canvas(height, width)
    kerb = dice.between(560, 800)
    street = Street(
        horizon=dice.between(360, 460),
        vanish=canvas.right * dice.between(38, 62) // 100,
        kerb=kerb,
        wall=kerb + dice.between(260, 460),
    )
    _draw_sky(canvas, dice, street)
    _draw_ground(canvas, dice, street)
    _draw_lanes(canvas, dice, street)
    if dice.chance(35):
        _draw_crossing(canvas, dice, street)
    _draw_skyline(canvas, dice, street)
    draw_street_life(canvas, dice, street)
    return Scene(canvas.light(dice), canvas.labels)


def _draw_sky(canvas: Canvas, dice: Dice, street: Street) -> None:
    top, low = (np.array(colour) for colour in _SKIES[dice.between(0, len(_SKIES) - 1)])
    down = np.minimum(canvas.y, street.horizon)[:, :, None]
    canvas.image[:] = (top * (street.horizon - down) + low * down) // street.horizon
    canvas.labels[:] = SKY
    for _ in range(dice.between(0, 4)):
        x, y = dice.between(0, canvas.right), dice.between(20, street.horizon * 2 // 3)
        size = dice.between(24, 60)
        for shift in (-size, 0, size):
            puff = canvas.oval((x + shift, y + abs(shift) // 4), size * 3 // 2, size // 2)
            canvas.paint(puff, dice.pick(_CLOUD, 6), SKY)


def _draw_ground(canvas: Canvas, dice: Dice, street: Street) -> None:
    paving, grass = dice.pick(_PAVING), dice.chance(50)
    below = canvas.box(0, street.horizon, canvas.right + 1, UNIT)
    canvas.paint(below, dice.pick(_GRASS) if grass else paving, VEGETATION if grass else SIDEWALK)
    path = street.strip(canvas, -street.wall, street.wall)
    canvas.paint(path, paving, SIDEWALK)
    row = 200_000 // np.maximum(canvas.y - street.horizon, 1)
    canvas.shade(path & (row // 60 % 2 == 0), 93)
    kerb = street.strip(canvas, -street.kerb - 40, street.kerb + 40)
    canvas.paint(kerb, (208, 206, 200), SIDEWALK)
    road = street.strip(canvas, -street.kerb, street.kerb)
    canvas.paint(road, dice.pick(_ASPHALT, 10), ROAD)


def _draw_lanes(canvas: Canvas, dice: Dice, street: Street) -> None:
    colour, depth = dice.pick(_LINES, 8), canvas.y - street.horizon
    near, lanes = depth > dice.between(110, 150), dice.between(2, 3)
    row = 400_000 // np.maximum(depth, 1) + dice.between(0, 799)
    for lane in range(1, lanes):
        line = street.kerb * (2 * lane - lanes) // lanes
        dashes = street.strip(canvas, line - 44, line + 44) & near & (row // 400 % 2 == 0)
        canvas.paint(dashes, colour, LANE_MARKING)
    if dice.chance(60):
        for line in (90 - street.kerb, street.kerb - 90):
            solid = street.strip(canvas, line - 38, line + 38) & near
            canvas.paint(solid, colour, LANE_MARKING)


def _draw_crossing(canvas: Canvas, dice: Dice, street: Street) -> None:
    start = dice.between(200, 380)
    band = canvas.box(
        0, street.horizon + start, canvas.right + 1, street.horizon + start * 138 // 100
    )
    road, colour = street.strip(canvas, -street.kerb, street.kerb) & band, dice.pick(_LINES[:2], 8)
    canvas.paint(road & (canvas.labels == LANE_MARKING), dice.pick(_ASPHALT, 10), ROAD)
    for line in range(60 - street.kerb, street.kerb - 150, 240):
        canvas.paint(street.strip(canvas, line, line + 130) & road, colour, LANE_MARKING)


def _draw_skyline(canvas: Canvas, dice: Dice, street: Street) -> None:
    """Draw hedges far off, then houses along both sides, the nearest last."""
    far = canvas.box(0, street.horizon - dice.between(20, 60), canvas.right + 1, street.horizon + 8)
    canvas.paint(far, dice.pick(LEAVES), VEGETATION)
    for side in (-1, 1):
        depth = dice.between(14, 30)
        while abs(street.at(street.wall, depth) - street.vanish) < canvas.right:
            if dice.chance(80):
                _draw_house(canvas, dice, street, side, depth)
            else:
                draw_tree(canvas, dice, street, side * street.wall, depth)
            depth = depth * dice.between(150, 220) // 100 + 10


def _draw_house(canvas: Canvas, dice: Dice, street: Street, side: int, depth: int) -> None:
    inner = street.at(side * street.wall, depth)
    outer = inner + side * (depth * dice.between(140, 260) // 100 + 60)
    left, right = min(inner, outer), max(inner, outer)
    foot = street.horizon + depth
    top = foot - depth * dice.between(150, 300) // 100 - dice.between(60, 160)
    wall = dice.pick(_WALLS)
    canvas.paint(canvas.box(left, top, right, foot), wall, BUILDING)
    roof = canvas.box(left - 6, top - 14 - depth // 20, right + 6, top)
    canvas.paint(roof, (wall[0] * 2 // 3, wall[1] * 2 // 3, wall[2] * 2 // 3), BUILDING)
    pitch, glass = dice.between(50, 70) + depth // 4, dice.pick(_GLASS)
    inside = canvas.box(left + pitch // 4, top + pitch // 4, right - pitch // 4, foot - pitch // 2)
    across, down = (canvas.x - left) % pitch * 100 // pitch, (canvas.y - top) % pitch * 100 // pitch
    pane = (abs(across - 50) < 24) & (abs(down - 50) < 28)  # noqa: PLR2004 - shares of the pitch
    canvas.paint(inside & pane, glass, BUILDING)
