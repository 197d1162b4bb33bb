"""What a night is to do, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.building import Built
from orchestrator.domain import (
    BoardOutcome,
    Fleet,
    Night,
    Recipe,
    RecipeJudged,
    RunRecord,
    VerifySpec,
)
from orchestrator.fleet.comparing import OnHost
from orchestrator.fleet.visits import Visit
from orchestrator.images import NamedImage
from orchestrator.nights.planning import Plan


@dataclass(frozen=True, slots=True)
class Part:
    """One recipe of a night, built, with its run."""

    recipe: Recipe
    built: Built
    run: RunRecord


@dataclass(frozen=True, slots=True)
class NightOrder:
    """What a night is to do.

    Attributes:
        parts: the first one's release becomes the current one on the boards.
        dead: runs of this workplace whose process was killed.
        ends_at: when its budget is spent, in seconds since the epoch; None: never.
    """

    fleet: Fleet
    parts: tuple[Part, ...]
    spec: VerifySpec
    plan: Plan
    dead: tuple[str, ...] = ()
    ends_at: float | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A part with everything that its boards are compared with."""

    part: Part
    here: OnHost
    visit: Visit
    images: tuple[NamedImage, ...]


@dataclass(frozen=True, slots=True)
class NightEnded:
    """What came of a night, by recipe."""

    night: Night
    judged: tuple[RecipeJudged, ...]
    runs: tuple[RunRecord, ...]
    outcomes: Mapping[str, tuple[BoardOutcome, ...]]
