"""One recipe's night on a fleet: everything that is judged of it, put together. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from orchestrator.domain import (
    BoardEffect,
    ChangePoint,
    Effect,
    Figures,
    Finding,
    Outcome,
    RecipeJudged,
    TrendPoint,
    VerifySpec,
)
from orchestrator.judging.answers import judge_answers, odd_ones, worst
from orchestrator.judging.attribution import findings, percent
from orchestrator.judging.change_points import change_points
from orchestrator.judging.marks import marks
from orchestrator.judging.noise import is_known, noise_of, of_changes, series_of
from orchestrator.judging.paired import compare
from orchestrator.judging.predicted import drifting
from orchestrator.judging.variance import split

_UNKNOWN_NOISE = "how much its nights differ by themselves takes 3 nights to know"


@dataclass(frozen=True, slots=True)
class Context:
    """What a recipe's night is judged beside.

    Attributes:
        baseline: what it is compared with, in words.
        trend: the fleet's nights before, oldest first.
        failed_gates: the recipe's own gates that were broken.
        nights: what says how much nights differ by themselves, where the baseline is one run.
    """

    run_id: str
    recipe: str
    baseline: str = ""
    trend: Sequence[TrendPoint] = ()
    failed_gates: tuple[str, ...] = ()
    nights: Sequence[Figures] = ()


def judge_recipe(
    tonight: Sequence[Figures], before: Sequence[Figures], spec: VerifySpec, context: Context
) -> RecipeJudged:
    """Judge a recipe's night against the nights before, which are newest first."""
    left_out = {one.board: why_not(one) for one in tonight if not one.usable}
    usable = [one for one in tonight if one.usable]
    earlier = [one for one in before if one.usable]
    series = series_of(usable, earlier)
    past = [one for one in context.nights if one.usable] if context.nights else earlier
    nights = series_of(usable, past)
    noise = of_changes(series, noise_of(nights))
    fleet, compared = compare(series, noise, spec, noise_known=is_known(nights))
    changed = marks(tonight, before)
    boards = _with_answers(compared, tonight, before, spec)
    moved = findings(boards, fleet, usable, earlier)
    variance = split({one.board: one.change for one in series}, usable, noise)
    told = (*moved, *_of_answers(boards), *drifting(usable, earlier))
    return RecipeJudged(
        recipe=context.recipe,
        run_id=context.run_id,
        verdict=_verdict(fleet, boards, context.failed_gates),
        fleet=fleet,
        boards=boards,
        findings=_failing(told, boards),
        baseline=context.baseline if series else "nothing to compare with yet",
        variance=variance,
        change_points=_change_points(tonight, context.trend, boards, before),
        marks=changed,
        left_out=left_out,
        failed_gates=context.failed_gates,
    )


def why_not(figures: Figures) -> str:
    """Say why a board's latency is not used."""
    if figures.error_code:
        return f"failed: {figures.error_code}"
    if figures.verdict and figures.p50_ms is not None:
        return f"{figures.verdict}: shown, not used"
    return "not measured"


def _with_answers(
    compared: Sequence[BoardEffect],
    tonight: Sequence[Figures],
    before: Sequence[Figures],
    spec: VerifySpec,
) -> tuple[BoardEffect, ...]:
    """Give every board that was not lost, judged by its answers too."""
    known = {one.board: one for one in compared}
    odd = odd_ones(tonight)
    own: dict[str, list[Figures]] = {}
    for one in before:
        own.setdefault(one.board, []).append(one)
    found = []
    for one in tonight:
        effect = known.get(one.board) or BoardEffect(one.board, "PASS", None, None, None, 0)
        verdict, reasons = judge_answers(one, own.get(one.board, ()), spec)
        outcomes = [effect.verdict, verdict]
        if one.board in odd:
            outcomes.append("FAIL")
            reasons = (odd[one.board], *reasons)
        if not one.usable:
            outcomes.append("INCONCLUSIVE")
            reasons = (why_not(one), *reasons)
        if effect.effect is not None and effect.effect.verdict != "PASS":
            unknown = () if effect.noise_known else (_UNKNOWN_NOISE,)
            reasons = (_slower(effect.effect, spec), *unknown, *reasons)
        found.append(replace(effect, verdict=worst(outcomes), reasons=reasons))
    return tuple(found)


def _slower(effect: Effect, spec: VerifySpec) -> str:
    sure = "is" if effect.verdict == "FAIL" else "may be"
    between = f"({percent(effect.low)} to {percent(effect.high)})"
    return f"p50 {percent(effect.change)} {between}: {sure} over {percent(spec.margin)}"


def _of_answers(boards: Sequence[BoardEffect]) -> list[Finding]:
    """Give boards whose answers fail, in words."""
    return [
        Finding("accuracy", (one.board,), f"{one.board}: {reason}", fails=one.verdict == "FAIL")
        for one in boards
        for reason in one.reasons
        if reason.startswith(("answers ", "agreement ", "mIoU "))
    ]


def _failing(found: Sequence[Finding], boards: Sequence[BoardEffect]) -> tuple[Finding, ...]:
    """Say of each finding whether it is why the night failed; boards that fail are all named."""
    failed = {one.board for one in boards if one.verdict == "FAIL"}
    told = [
        replace(one, fails=one.fails or (len(one.boards) == 1 and one.boards[0] in failed))
        for one in found
    ]
    named = {name for one in told if one.fails for name in one.boards}
    for one in boards:
        if one.board in failed - named:
            change = None if one.effect is None else one.effect.change
            text = f"{one.board}: {one.reasons[0] if one.reasons else 'slower'}"
            told.append(Finding("board", (one.board,), text, change, fails=True))
    return tuple(sorted(told, key=lambda one: not one.fails))


def _verdict(fleet: Effect | None, boards: Sequence[BoardEffect], gates: Sequence[str]) -> Outcome:
    outcomes = [one.verdict for one in boards]
    if fleet is not None:
        outcomes.append(fleet.verdict)
    if gates:
        outcomes.append("FAIL")
    return worst(outcomes)


def _change_points(
    tonight: Sequence[Figures],
    trend: Sequence[TrendPoint],
    boards: Sequence[BoardEffect],
    before: Sequence[Figures],
) -> tuple[ChangePoint, ...]:
    """Give the steps of the fleet's nights, and of boards that stand apart tonight."""
    usable = [one for one in tonight if one.usable and one.p50_ms]
    if not usable:
        return ()
    at = usable[0].at
    fleet = [(one.at, one.p50_ms) for one in trend if one.p50_ms]
    fleet.append((at, median(one.p50_ms for one in usable if one.p50_ms)))
    found = list(change_points(fleet))
    apart = {one.board for one in boards if one.alone is not None and one.alone.moved}
    for one in usable:
        if one.board in apart and one.p50_ms:
            own = [
                (e.at, e.p50_ms) for e in before if e.board == one.board and e.usable and e.p50_ms
            ]
            found += change_points([*reversed(own), (one.at, one.p50_ms)], one.board)
    return tuple(found)
