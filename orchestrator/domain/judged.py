"""What is judged of a night: what moved, by how much, and whether that is too much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: What a comparison comes to: no worse than allowed, worse, or not to be told from what there is.
Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE"]
#: What is known to have been changed between two nights.
MarkKind = Literal["SDK", "toolchain", "kernel", "release"]


@dataclass(frozen=True, slots=True)
class Mark:
    """That something was changed before a night, on these boards."""

    kind: MarkKind
    at: str
    before: str
    after: str
    boards: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """A change of latency against the baseline, as a share: 0.01 is 1 % slower.

    Attributes:
        low: with `high` the 95 % interval.
        p: how often chance alone shows as much; None: too little to say.
        boards: how many were compared, each with itself.
        moved: it is there, whatever its size: chance is ruled out at the night's level.
        verdict: against the margin.
    """

    change: float
    low: float
    high: float
    p: float | None
    boards: int
    moved: bool
    verdict: Outcome


@dataclass(frozen=True, slots=True)
class BoardEffect:
    """One board with one recipe in one night.

    Attributes:
        effect: against its own baseline; None: it cannot be compared.
        alone: its change beyond that of the fleet; `moved` says that it moved alone.
        baseline_ms: the median of its p50 in the nights it is compared with.
        nights: how many these are.
        reasons: why it failed, was left out or cannot be told, in words.
        noise_known: how much its nights differ by themselves is measured, and not assumed.
    """

    board: str
    verdict: Outcome
    effect: Effect | None
    alone: Effect | None
    baseline_ms: float | None
    nights: int
    reasons: tuple[str, ...] = ()
    noise_known: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """What moved, and what it is put down to.

    Attributes:
        subject: `fleet`, `site`, `board`, `SDK`, `toolchain`, `accuracy`, `prediction`, …
        boards: which of them.
        text: in one line, with numbers.
        change: as a share; None: it is not about latency.
        fails: it is why the night failed.
    """

    subject: str
    boards: tuple[str, ...]
    text: str
    change: float | None = None
    fails: bool = False


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """From this night on a series is higher or lower than before; `board` is empty for the fleet.

    Attributes:
        change: as a share of before.
        p: how often chance alone makes such a step.
    """

    at: str
    board: str
    change: float
    p: float


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """How one recipe stood on the whole fleet in one night; `change` is against its baseline."""

    night: str
    run_id: str
    recipe: str
    at: str
    verdict: Outcome
    boards: int
    p50_ms: float | None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    moved: bool = False
    agreement: float | None = None


@dataclass(frozen=True, slots=True)
class RecipeJudged:
    """One recipe on the whole fleet in one night.

    Attributes:
        fleet: the change of the median board; None: no board can be compared.
        baseline: what it is compared with, in words.
        variance: share of the variance of the boards' changes, by `board`, `site`, `SDK`, …
        left_out: by board, why its measurement is not used.
        failed_gates: rules that were broken, in words.
    """

    recipe: str
    run_id: str
    verdict: Outcome
    fleet: Effect | None
    boards: tuple[BoardEffect, ...]
    findings: tuple[Finding, ...] = ()
    baseline: str = ""
    variance: Mapping[str, float] = field(default_factory=dict)
    change_points: tuple[ChangePoint, ...] = ()
    marks: tuple[Mark, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    failed_gates: tuple[str, ...] = ()
