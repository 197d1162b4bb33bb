"""What stands and moves on a drawn street: trees, cars, vans and people."""

from __future__ import annotations

from typing import Final

from orchestrator.recipes.drawing import Canvas, Dice
from orchestrator.recipes.street_plan import PEDESTRIAN, VEGETATION, VEHICLE, Street

LEAVES: Final = ((64, 124, 58), (92, 136, 56), (52, 104, 66))
_BARK: Final = ((96, 72, 52),)
_PAINTS: Final = (
    (184, 36, 40),
    (34, 74, 156),
    (222, 222, 224),
    (52, 54, 60),
    (226, 170, 40),
    (36, 120, 116),
)
_CLOTHES: Final = ((212, 60, 70), (58, 92, 190), (240, 196, 70), (70, 150, 100), (150, 70, 150))
_TROUSERS: Final = ((44, 52, 84), (70, 64, 60), (120, 104, 84))
_SKIN: Final = ((236, 196, 164), (204, 150, 112), (128, 84, 60))
_PANE: Final = ((52, 62, 78),)
_TYRE: Final = (26, 26, 30)
_LAMPS: Final = ((236, 52, 40), (250, 244, 214))


def draw_street_life(canvas: Canvas, dice: Dice, street: Street) -> None:
    """Draw trees, vehicles and people, those far off first."""
    for depth in sorted(dice.between(130, 500) for _ in range(dice.between(5, 9))):
        side, kind = (-1, 1)[dice.between(0, 1)], dice.between(1, 100)
        lane = side * street.kerb * dice.between(30, 62) // 100
        walk = side * dice.between(street.kerb + 80, street.wall - 20)
        if kind <= 36:  # noqa: PLR2004 - percent, as are the next two
            _draw_car(canvas, dice, street, lane, depth)
        elif kind <= 46:  # noqa: PLR2004
            _draw_van(canvas, dice, street, lane, depth)
        elif kind <= 90:  # noqa: PLR2004
            _draw_person(canvas, dice, street, walk if dice.chance(75) else lane, depth)
        else:
            draw_tree(canvas, dice, street, side * street.wall, depth)


def draw_tree(canvas: Canvas, dice: Dice, street: Street, offset: int, depth: int) -> None:
    """Draw a tree that stands `offset` from the middle of the street at the lower edge."""
    x, foot, size = street.at(offset, depth), street.horizon + depth, depth // 3 + 24
    trunk = canvas.box(x - size // 5, foot - size * 2, x + size // 5, foot)
    canvas.paint(trunk, dice.pick(_BARK), VEGETATION)
    for across, up in ((-2, 8), (2, 9), (0, 12)):
        leaves = canvas.oval((x + size * across // 5, foot - size * up // 4), size, size * 4 // 5)
        canvas.paint(leaves, dice.pick(LEAVES), VEGETATION)


def _draw_car(canvas: Canvas, dice: Dice, street: Street, offset: int, depth: int) -> None:
    x, foot, half = street.at(offset, depth), street.horizon + depth, depth * 42 // 100
    tall, paint, lamp = depth * 62 // 100, dice.pick(_PAINTS), dice.pick(_LAMPS, 0)
    waist, sill = foot - tall * 55 // 100, foot - tall * 14 // 100
    canvas.shade(canvas.oval((x, foot), half * 116 // 100, tall // 8), 55)
    for wheel in (x - half * 70 // 100, x + half * 70 // 100):
        canvas.paint(
            canvas.box(wheel - half // 6, sill, wheel + half // 6, foot + 4), _TYRE, VEHICLE
        )
    cabin, glass = (foot - tall, half * 66 // 100), (foot - tall * 92 // 100, half * 58 // 100)
    canvas.paint(canvas.taper(x, cabin, (waist + 4, half * 92 // 100)), paint, VEHICLE)
    canvas.paint(canvas.taper(x, glass, (waist, half * 78 // 100)), dice.pick(_PANE), VEHICLE)
    body = canvas.box(x - half, waist, x + half, sill)
    canvas.paint(body, paint, VEHICLE)
    canvas.shade(canvas.box(x - half, sill - tall // 7, x + half, sill), 70)
    for light in (x - half * 78 // 100, x + half * 78 // 100):
        canvas.paint(canvas.oval((light, waist + tall // 7), half // 7, tall // 14), lamp, VEHICLE)


def _draw_van(canvas: Canvas, dice: Dice, street: Street, offset: int, depth: int) -> None:
    x, foot, half = street.at(offset, depth), street.horizon + depth, depth * 46 // 100
    tall, paint, lamp = depth * 112 // 100, dice.pick(_PAINTS), dice.pick(_LAMPS, 0)
    sill = foot - tall // 10
    canvas.shade(canvas.oval((x, foot), half * 112 // 100, tall // 14), 55)
    for wheel in (x - half * 70 // 100, x + half * 70 // 100):
        canvas.paint(
            canvas.box(wheel - half // 6, sill, wheel + half // 6, foot + 4), _TYRE, VEHICLE
        )
    canvas.paint(canvas.taper(x, (foot - tall, half * 92 // 100), (sill, half)), paint, VEHICLE)
    pane = canvas.box(
        x - half * 74 // 100, foot - tall * 88 // 100, x + half * 74 // 100, foot - tall // 2
    )
    canvas.paint(pane, dice.pick(_PANE), VEHICLE)
    for light in (x - half * 76 // 100, x + half * 76 // 100):
        canvas.paint(canvas.oval((light, foot - tall // 4), half // 8, tall // 18), lamp, VEHICLE)


def _draw_person(canvas: Canvas, dice: Dice, street: Street, offset: int, depth: int) -> None:
    tall = (depth + 60) * dice.between(66, 80) // 100
    x, foot, half = street.at(offset, depth), street.horizon + depth, tall * 17 // 100
    coat, trousers = dice.pick(_CLOTHES), dice.pick(_TROUSERS)
    canvas.shade(canvas.oval((x, foot), half * 130 // 100, tall // 20 + 1), 65)
    hip, neck = foot - tall * 45 // 100, foot - tall * 80 // 100
    canvas.paint(canvas.taper(x, (hip, half * 80 // 100), (foot, half)), trousers, PEDESTRIAN)
    gap = canvas.taper(x, (foot - tall * 30 // 100, 1), (foot, half // 5))
    canvas.shade(gap, 60)
    canvas.paint(canvas.box(x - half, neck, x + half, hip), coat, PEDESTRIAN)
    canvas.paint(canvas.oval((x, neck), half, tall // 14), coat, PEDESTRIAN)
    for arm in (x - half, x + half):
        sleeve = canvas.box(arm - half // 4, neck, arm + half // 4, hip + tall // 20)
        canvas.paint(sleeve, (coat[0] * 4 // 5, coat[1] * 4 // 5, coat[2] * 4 // 5), PEDESTRIAN)
    head = canvas.oval((x, foot - tall * 90 // 100), tall * 9 // 100, tall * 11 // 100)
    canvas.paint(head, dice.pick(_SKIN), PEDESTRIAN)
