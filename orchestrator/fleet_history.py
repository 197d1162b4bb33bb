"""The part of the ledger that nights are compared by: the seam for what was, night after night."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.domain import Baseline, Figures, Night, RecipeJudged, TrendPoint


@dataclass(frozen=True, slots=True)
class Asked:
    """Which figures are wanted; None: whichever. `since` is ISO 8601, UTC."""

    fleet: str | None = None
    board: str | None = None
    recipe: str | None = None
    since: str | None = None
    limit: int = 1000


class FleetHistory(Protocol):
    """Figures of every board and run, nights with their verdicts, and pinned baselines.

    Figures are written with each outcome; the samples they come from stay with the outcome.
    """

    def start_night(self, night: Night) -> None:
        """Write down that a night has begun."""
        ...

    def finish_night(self, night: Night, judged: Sequence[RecipeJudged]) -> None:
        """Write down how it ended, what was judged, and its points of the trend; all at once."""
        ...

    def night(self, night_id: str) -> Night | None:
        """Give one night."""
        ...

    def nights(self, fleet: str | None, limit: int) -> list[Night]:
        """Give the newest nights, of one fleet or all, newest first."""
        ...

    def judged(self, night_id: str) -> tuple[RecipeJudged, ...]:
        """Give what was judged in a night, in the order of its recipes."""
        ...

    def figures(self, run_id: str) -> list[Figures]:
        """Give the figures of a run in the order of board names."""
        ...

    def history(self, asked: Asked) -> list[Figures]:
        """Give the newest figures that were asked for, newest first."""
        ...

    def nights_before(self, fleet: str, recipe: str, before: str, nights: int) -> list[Figures]:
        """Give the figures of all boards in a recipe's newest nights on a fleet, newest first.

        Only nights that are finished and began before the time `before`.
        """
        ...

    def trend(self, fleet: str, recipe: str | None, since: str | None) -> list[TrendPoint]:
        """Give the points of a fleet's trend, oldest first."""
        ...

    def set_baseline(self, baseline: Baseline) -> None:
        """Pin what a recipe on a fleet is compared with; it replaces what was pinned."""
        ...

    def clear_baseline(self, fleet: str, recipe: str) -> bool:
        """Pin nothing any more; say whether something was."""
        ...

    def baseline(self, fleet: str, recipe: str) -> Baseline | None:
        """Give what is pinned."""
        ...
