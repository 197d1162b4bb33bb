"""A night's measurements → its verdict, written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.clock import now
from orchestrator.domain import (
    BoardOutcome,
    Figures,
    Night,
    Outcome,
    RecipeJudged,
    RunRecord,
    VerifySpec,
)
from orchestrator.fleet.comparing import judged_summary
from orchestrator.fleet.quorum import quorums
from orchestrator.fleet.rolling import Crew
from orchestrator.gates import broken_gates
from orchestrator.judging.answers import worst
from orchestrator.judging.recipe import Context, judge_recipe
from orchestrator.nights.order import NightEnded, NightOrder, Prepared
from orchestrator.seams import Ledger
from orchestrator.table import Summary, summarise_run


def conclude(
    order: NightOrder,
    prepared: Sequence[Prepared],
    recorded: Mapping[str, Sequence[BoardOutcome]],
    skipped: Mapping[str, str],
    crew: Crew,
    night: Night,
) -> NightEnded:
    """Judge all recipes, and write down how the night ended."""
    judged = tuple(judge_part(order, one, crew) for one in prepared)
    runs = tuple(
        _ended_run(one, recorded[one.part.recipe.name], found, night)
        for one, found in zip(prepared, judged, strict=True)
    )
    failed = _failed(order, recorded, skipped)
    verdict = worst([one.verdict for one in judged])
    exit_code = 1 if failed else 3 if verdict == "FAIL" else 0
    ended = replace(
        night,
        finished_at=now(),
        exit_code=exit_code,
        verdict=verdict,
        sentence=_sentence(verdict, judged, failed, order),
        simulated=any(one.simulated for outcomes in recorded.values() for one in outcomes),
        failed_boards=failed,
    )
    for run in runs:
        crew.ledger.finish_run(run)
    crew.ledger.finish_night(ended, judged)
    kept = {recipe: tuple(outcomes) for recipe, outcomes in recorded.items()}
    return NightEnded(ended, judged, runs, kept)


def judge_part(order: NightOrder, prepared: Prepared, crew: Crew) -> RecipeJudged:
    """Judge one recipe by what the ledger has of it now."""
    part, ledger = prepared.part, crew.ledger
    outcomes = ledger.outcomes(part.run.run_id)
    gates = tuple(text for one in outcomes for text in broken_gates(one, part.recipe.gates))
    return judge_from_ledger(ledger, part.run, order.spec, gates)


def judge_from_ledger(
    ledger: Ledger, run: RunRecord, spec: VerifySpec, gates: tuple[str, ...]
) -> RecipeJudged:
    """Judge a run against its pinned baseline, or the nights before."""
    before, told = compared_with(ledger, run, spec.baseline_nights)
    pinned = ledger.baseline(run.fleet, run.recipe) is not None
    count = spec.baseline_nights
    nights = ledger.nights_before(run.fleet, run.recipe, run.started_at, count) if pinned else ()
    trend = [one for one in ledger.trend(run.fleet, run.recipe, None) if one.at < run.started_at]
    context = Context(run.run_id, run.recipe, told, trend, gates, nights)
    return judge_recipe(ledger.figures(run.run_id), before, spec, context)


def compared_with(ledger: Ledger, run: RunRecord, nights: int) -> tuple[list[Figures], str]:
    """Give the figures that a run is compared with, newest first, and say what they are."""
    pinned = ledger.baseline(run.fleet, run.recipe)
    if pinned is not None:
        return ledger.figures(pinned.run_id), f"run {pinned.run_id}, pinned"
    found = ledger.nights_before(run.fleet, run.recipe, run.started_at, nights)
    count = len({one.run_id for one in found})
    return found, "the night before" if count == 1 else f"the {count} nights before"


def _ended_run(
    prepared: Prepared, outcomes: Sequence[BoardOutcome], judged: RecipeJudged, night: Night
) -> RunRecord:
    part = prepared.part
    release, fields = part.built.release, part.built.compiled.fields
    summary = summarise_run(outcomes, part.recipe.gates)
    why = tuple(one.text for one in judged.findings if one.fails)
    broken = Summary(summary.sentence, summary.failed_boards, (*judged.failed_gates, *why))
    alike = quorums(outcomes, release.pulsar2_version)
    kept = judged_summary(release, broken, alike, prepared.here.kept)
    toolchain = {
        name: fields.get(f"toolchain_{name}", "") for name in ("version", "commit", "digest")
    }
    return replace(
        part.run,
        finished_at=now(),
        exit_code=1 if summary.failed_boards else 3 if judged.verdict == "FAIL" else 0,
        summary={
            **part.run.summary,
            **kept,
            "night": night.night_id,
            "toolchain": dict(toolchain),
            "verdict": judged.verdict,
            "broken_gates": list(judged.failed_gates),
        },
    )


def _failed(
    order: NightOrder,
    recorded: Mapping[str, Sequence[BoardOutcome]],
    skipped: Mapping[str, str],
) -> dict[str, str]:
    """Say by board what could not be done; what the budget had no time for is in the plan."""
    found = {name: f"in quarantine: {reason}" for name, reason in skipped.items()}
    for outcomes in recorded.values():
        for one in outcomes:
            if one.error_code:
                found.setdefault(one.board, one.error)
    seen = {one.board for outcomes in recorded.values() for one in outcomes}
    for board in order.plan.boards:
        if board not in seen and board not in found:
            found[board] = f"{board}: not visited, the budget was spent"
    return dict(sorted(found.items()))


def _sentence(
    verdict: Outcome, judged: Sequence[RecipeJudged], failed: Mapping[str, str], order: NightOrder
) -> str:
    compared = sum(one.fleet.boards if one.fleet else 0 for one in judged)
    moved = [one.text for recipe in judged for one in recipe.findings]
    parts = [f"{verdict}: {len(judged)} recipes, {compared} comparisons of boards with themselves"]
    parts.append("; ".join(moved[:3]) if moved else "nothing moved")
    if failed:
        parts.append(f"not done: {', '.join(failed)}")
    if order.plan.left_out:
        parts.append(f"no time for: {', '.join(order.plan.left_out)}")
    return "; ".join(parts)
