"""What every report of a night is written from, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.domain.found import BoardOutcome, RunRecord
from orchestrator.domain.judged import RecipeJudged, TrendPoint
from orchestrator.domain.nights import Figures, Night


@dataclass(frozen=True, slots=True)
class RecipeReport:
    """One recipe in one night.

    Attributes:
        figures: of this night, in the order of board names.
        outcomes: with all samples, in the same order; empty: the report does without.
        history: figures of the nights before, newest first; empty: the report does without.
        trend: oldest first, this night the last.
        commands: what measures a board again, by its name.
        log_tails: the last lines of what a board's agent or runtime said, by its name; only of
            boards that failed.
    """

    run: RunRecord
    judged: RecipeJudged
    figures: tuple[Figures, ...]
    outcomes: tuple[BoardOutcome, ...] = ()
    history: tuple[Figures, ...] = ()
    trend: tuple[TrendPoint, ...] = ()
    commands: Mapping[str, str] = field(default_factory=dict)
    log_tails: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NightReport:
    """A night with all of its recipes.

    Attributes:
        next_steps: what to do now, a line each, the most pressing first.
        contact_sheets: PNG files by the recipe's name.
        redacted: hosts, users and uids are not in it.
    """

    night: Night
    recipes: tuple[RecipeReport, ...]
    next_steps: tuple[str, ...] = ()
    contact_sheets: Mapping[str, str] = field(default_factory=dict)
    redacted: bool = False
