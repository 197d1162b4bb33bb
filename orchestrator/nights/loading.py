"""A night from the ledger, as its reports are written from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.domain import (
    BoardOutcome,
    Figures,
    Night,
    NightReport,
    RecipeJudged,
    RecipeReport,
)
from orchestrator.errors import ConfigError
from orchestrator.fleet_history import Asked
from orchestrator.nights.next_steps import next_steps
from orchestrator.seams import Ledger

#: Nights that heat map and trends go back.
HISTORY = 30
#: Boards whose own history is read where not all are.
_SHOWN = 12
#: Lines of what went wrong on a board.
_TAIL_LINES = 20


def load_night(ledger: Ledger, night_id: str, reports: Path, *, whole: bool) -> NightReport:
    """Give a night; not `whole`: without samples, and with the past of the boards that stand out.

    Raises ConfigError: the ledger has no such night.
    """
    night = ledger.night(night_id)
    if night is None:
        newest = (
            ", ".join(one.night_id for one in ledger.nights(None, 3)) or "none yet: orch verify"
        )
        raise ConfigError(f"the ledger has no night {night_id!r}", f"newest nights: {newest}")
    judged = ledger.judged(night_id)
    recipes = tuple(_recipe(ledger, night, one, whole=whole) for one in judged)
    sheets = {
        one.recipe: str(path)
        for one in judged
        if (path := reports / one.run_id / "contact-sheet.png").is_file()
    }
    return NightReport(night, recipes, next_steps(night, judged), sheets)


def _recipe(ledger: Ledger, night: Night, judged: RecipeJudged, *, whole: bool) -> RecipeReport:
    run = ledger.run(judged.run_id)
    if run is None:
        raise ConfigError(f"the ledger has no run {judged.run_id!r}", "orch ledger check")
    figures = tuple(ledger.figures(judged.run_id))
    outcomes: Sequence[BoardOutcome] = ledger.outcomes(judged.run_id) if whole else ()
    trend = ledger.trend(night.fleet, judged.recipe, None)
    until = [one for one in trend if one.at <= night.started_at][-HISTORY:]
    return RecipeReport(
        run=run,
        judged=judged,
        figures=figures,
        outcomes=tuple(outcomes),
        history=_history(ledger, night, judged, whole=whole),
        trend=tuple(until),
        commands={one.board: _command(night, judged, one.board) for one in figures},
        log_tails={one.board: _tail(one) for one in outcomes if one.error},
    )


def _history(
    ledger: Ledger, night: Night, judged: RecipeJudged, *, whole: bool
) -> tuple[Figures, ...]:
    if whole:
        found = ledger.nights_before(night.fleet, judged.recipe, night.started_at, HISTORY)
        return tuple(found)
    shown = [name for one in judged.findings for name in one.boards]
    shown += [one.board for one in judged.boards if one.verdict != "PASS"]
    shown += [one.board for one in judged.boards]
    past: list[Figures] = []
    for board in list(dict.fromkeys(shown))[:_SHOWN]:
        asked = Asked(night.fleet, board, judged.recipe, limit=HISTORY)
        past += [one for one in ledger.history(asked) if one.night and one.at < night.started_at]
    return tuple(past)


def _command(night: Night, judged: RecipeJudged, board: str) -> str:
    return f"orch verify --fleet {night.fleet} --recipe {judged.recipe} --limit {board}"


def _tail(outcome: BoardOutcome) -> str:
    said = [outcome.error, *([f"hint: {outcome.hint}"] if outcome.hint else [])]
    return "\n".join("\n".join(said).splitlines()[-_TAIL_LINES:])
