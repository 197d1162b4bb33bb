"""What was, night after night, in SQL: figures, nights, trends and pinned baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from statistics import median
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, insert, select, update

from orchestrator.backends.ledger_chain import link_night
from orchestrator.backends.ledger_database import SqlDatabase
from orchestrator.backends.ledger_packing import pack_json, unpack_json
from orchestrator.backends.ledger_schema import BASELINES, FIGURES, NIGHTS, TRENDS
from orchestrator.domain import (
    Baseline,
    BoardEffect,
    ChangePoint,
    Effect,
    Figures,
    Finding,
    Mark,
    Night,
    RecipeJudged,
    TrendPoint,
)
from orchestrator.fleet_history import Asked
from orchestrator.hashing import as_json

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, RowMapping

#: Columns of a trend's row that are no part of its point.
_NOT_OF_POINT = {"place", "fleet", "judged"}


class SqlHistory(SqlDatabase):
    """Figures of boards and runs, nights with what was judged, and baselines."""

    def start_night(self, night: Night) -> None:
        """Write down that a night has begun."""
        with self._transaction() as connection:
            connection.execute(insert(NIGHTS).values(**asdict(night)))

    def finish_night(self, night: Night, judged: Sequence[RecipeJudged]) -> None:
        """Write down how it ended, what was judged, and its points of the trend; all at once."""
        with self._transaction() as connection:
            same = NIGHTS.c.night_id == night.night_id
            connection.execute(update(NIGHTS).where(same).values(**asdict(night)))
            connection.execute(delete(TRENDS).where(TRENDS.c.night == night.night_id))
            for place, one in enumerate(judged):
                row = _trend_row(connection, night, one, place)
                connection.execute(insert(TRENDS).values(**row))
            link_night(connection, night.night_id)

    def night(self, night_id: str) -> Night | None:
        """Give one night."""
        rows = self._rows(select(NIGHTS).where(NIGHTS.c.night_id == night_id))
        return Night(**rows[0]) if rows else None

    def nights(self, fleet: str | None, limit: int) -> list[Night]:
        """Give the newest nights, of one fleet or all, newest first."""
        query = select(NIGHTS).order_by(NIGHTS.c.started_at.desc(), NIGHTS.c.night_id.desc())
        if fleet is not None:
            query = query.where(NIGHTS.c.fleet == fleet)
        return [Night(**row) for row in self._rows(query.limit(limit))]

    def judged(self, night_id: str) -> tuple[RecipeJudged, ...]:
        """Give what was judged in a night, in the order of its recipes."""
        query = select(TRENDS.c.judged).where(TRENDS.c.night == night_id).order_by(TRENDS.c.place)
        return tuple(judged_of(unpack_json(row["judged"])) for row in self._rows(query))

    def figures(self, run_id: str) -> list[Figures]:
        """Give the figures of a run in the order of board names."""
        query = select(FIGURES).where(FIGURES.c.run_id == run_id).order_by(FIGURES.c.board)
        return [figures_of_row(row) for row in self._rows(query)]

    def history(self, asked: Asked) -> list[Figures]:
        """Give the newest figures that were asked for, newest first."""
        query = select(FIGURES).order_by(FIGURES.c.at.desc(), FIGURES.c.run_id.desc())
        for column, value in (
            ("fleet", asked.fleet),
            ("board", asked.board),
            ("recipe", asked.recipe),
        ):
            if value is not None:
                query = query.where(FIGURES.c[column] == value)
        if asked.since is not None:
            query = query.where(FIGURES.c.at >= asked.since)
        return [figures_of_row(row) for row in self._rows(query.limit(asked.limit))]

    def nights_before(self, fleet: str, recipe: str, before: str, nights: int) -> list[Figures]:
        """Give the figures of all boards in a recipe's newest nights on a fleet, newest first."""
        where = and_(TRENDS.c.fleet == fleet, TRENDS.c.recipe == recipe, TRENDS.c.at < before)
        newest = select(TRENDS.c.run_id).where(where).order_by(TRENDS.c.at.desc()).limit(nights)
        runs = [str(row["run_id"]) for row in self._rows(newest)]
        return [one for run_id in runs for one in self.figures(run_id)]

    def trend(self, fleet: str, recipe: str | None, since: str | None) -> list[TrendPoint]:
        """Give the points of a fleet's trend, oldest first."""
        columns = [one for one in TRENDS.c if one.name not in _NOT_OF_POINT]
        query = (
            select(*columns).where(TRENDS.c.fleet == fleet).order_by(TRENDS.c.at, TRENDS.c.place)
        )
        if recipe is not None:
            query = query.where(TRENDS.c.recipe == recipe)
        if since is not None:
            query = query.where(TRENDS.c.at >= since)
        return [TrendPoint(**row) for row in self._rows(query)]

    def set_baseline(self, baseline: Baseline) -> None:
        """Pin what a recipe on a fleet is compared with; it replaces what was pinned."""
        with self._transaction() as connection:
            same = _baseline_of(baseline.fleet, baseline.recipe)
            connection.execute(delete(BASELINES).where(same))
            connection.execute(insert(BASELINES).values(**asdict(baseline)))

    def clear_baseline(self, fleet: str, recipe: str) -> bool:
        """Pin nothing any more; say whether something was."""
        with self._transaction() as connection:
            gone = connection.execute(delete(BASELINES).where(_baseline_of(fleet, recipe)))
        return gone.rowcount > 0

    def baselines(self) -> list[Baseline]:
        """Give all that is pinned."""
        query = select(BASELINES).order_by(BASELINES.c.fleet, BASELINES.c.recipe)
        return [Baseline(**row) for row in self._rows(query)]

    def baseline(self, fleet: str, recipe: str) -> Baseline | None:
        """Give what is pinned."""
        rows = self._rows(select(BASELINES).where(_baseline_of(fleet, recipe)))
        return Baseline(**rows[0]) if rows else None


def _baseline_of(fleet: str, recipe: str) -> Any:
    return and_(BASELINES.c.fleet == fleet, BASELINES.c.recipe == recipe)


def _trend_row(
    connection: Connection, night: Night, judged: RecipeJudged, place: int
) -> dict[str, Any]:
    """Give a recipe's night: its medians over the boards that count, and all that was judged."""
    query = select(FIGURES).where(FIGURES.c.run_id == judged.run_id)
    figures = [figures_of_row(row) for row in connection.execute(query).mappings()]
    medians = [one.p50_ms for one in figures if one.usable and one.p50_ms is not None]
    shares = [one.agreement for one in figures if one.agreement is not None]
    effect = judged.fleet
    point = TrendPoint(
        night=night.night_id,
        run_id=judged.run_id,
        recipe=judged.recipe,
        at=night.started_at,
        verdict=judged.verdict,
        boards=len(medians),
        p50_ms=median(medians) if medians else None,
        agreement=median(shares) if shares else None,
    )
    if effect is not None:
        point = replace(
            point,
            change=effect.change,
            low=effect.low,
            high=effect.high,
            p=effect.p,
            moved=effect.moved,
        )
    rest = {"place": place, "fleet": night.fleet, "judged": pack_json(as_json(judged))}
    return asdict(point) | rest


def figures_of_row(row: RowMapping) -> Figures:
    """Give the figures of a row."""
    return Figures(**{**row, "rounds_ms": tuple(row["rounds_ms"])})


def judged_of(kept: dict[str, Any]) -> RecipeJudged:
    """Give what `as_json` made of a judged recipe; newer fields than were kept have defaults."""
    return RecipeJudged(
        **{
            **kept,
            "fleet": _effect_of(kept["fleet"]),
            "boards": tuple(_board_of(one) for one in kept["boards"]),
            "findings": tuple(Finding(**_tuples(one, "boards")) for one in kept["findings"]),
            "change_points": tuple(ChangePoint(**one) for one in kept["change_points"]),
            "marks": tuple(Mark(**_tuples(one, "boards")) for one in kept["marks"]),
            "failed_gates": tuple(kept["failed_gates"]),
        }
    )


def _effect_of(kept: dict[str, Any] | None) -> Effect | None:
    return None if kept is None else Effect(**kept)


def _board_of(kept: dict[str, Any]) -> BoardEffect:
    effects = {name: _effect_of(kept[name]) for name in ("effect", "alone")}
    return BoardEffect(**(_tuples(kept, "reasons") | effects))


def _tuples(kept: dict[str, Any], name: str) -> dict[str, Any]:
    return {**kept, name: tuple(kept[name])}
