"""The part of the ledger that deployment reads before it acts: the seam for its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from orchestrator.domain import (
    BoardOutcome,
    CompatibilityFact,
    Health,
    Json,
    LastRun,
    Sighting,
)


class FleetMemory(Protocol):
    """What is remembered of boards between runs, and of a run that did not end."""

    def record_plan(self, run_id: str, plan: Mapping[str, Json]) -> None:
        """Write down what a run is about to do; a second time replaces the first."""
        ...

    def plan(self, run_id: str) -> dict[str, Json] | None:
        """Give what a run was about to do."""
        ...

    def record_health(self, health: Health) -> None:
        """Keep a board's health; it replaces what was known."""
        ...

    def healths(self) -> dict[str, Health]:
        """Give what is known of each board's health, by its name."""
        ...

    def record_sighting(self, sighting: Sighting) -> None:
        """Keep what a board said of itself; it replaces what was known."""
        ...

    def sightings(self) -> dict[str, Sighting]:
        """Give what each board last said of itself, by its name."""
        ...

    def board_uids(self) -> dict[str, str]:
        """Give the uid that each board last had, by its name."""
        ...

    def record_compatibility(self, fact: CompatibilityFact) -> None:
        """Add to what is known: the counts of the same fact add up."""
        ...

    def compatibility(self, pulsar2_version: str) -> list[CompatibilityFact]:
        """Give what boards made of models by this version, the newest first."""
        ...

    def last_outcomes(
        self, boards: Sequence[str], recipe: str, before_run: str
    ) -> dict[str, BoardOutcome]:
        """Give each board's newest outcome that later ones may be compared with.

        That is one of an earlier run of the recipe, without an error, measured VALID or NOISY.
        """
        ...

    def last_runs(self, boards: Sequence[str]) -> dict[str, LastRun]:
        """Give the newest run that visited each board, by the board's name."""
        ...
