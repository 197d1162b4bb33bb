"""What a drawn street consists of: its classes, their colours and its ground plan.

`depth` is how far below the horizon a thing meets the ground; its size grows in proportion, as it
does before a level camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orchestrator.recipes.drawing import UNIT, Canvas, Colour, Mask

CLASSES: Final[tuple[str, ...]] = (
    "road",
    "lane marking",
    "sidewalk",
    "building",
    "vegetation",
    "sky",
    "vehicle",
    "pedestrian",
)
PALETTE: Final[tuple[Colour, ...]] = (
    (96, 72, 120),
    (250, 240, 170),
    (228, 110, 200),
    (120, 112, 104),
    (92, 156, 60),
    (84, 160, 220),
    (24, 60, 190),
    (220, 36, 60),
)
ROAD, LANE_MARKING, SIDEWALK, BUILDING, VEGETATION, SKY, VEHICLE, PEDESTRIAN = range(len(CLASSES))


@dataclass(frozen=True, slots=True)
class Street:
    """A straight street: the vanishing point, and where kerbs and walls meet the lower edge."""

    horizon: int
    vanish: int
    kerb: int
    wall: int

    def at(self, offset: int, depth: int) -> int:
        """Give the x, at a depth, of what is `offset` from the middle at the lower edge."""
        return self.vanish + offset * depth // (UNIT - self.horizon)

    def strip(self, canvas: Canvas, left: int, right: int) -> Mask:
        """Give the ground between two lines to the vanishing point, by their offsets."""
        depth = canvas.y - self.horizon
        across = (canvas.x - self.vanish) * (UNIT - self.horizon)
        return (depth > 0) & (across >= left * depth) & (across < right * depth)
