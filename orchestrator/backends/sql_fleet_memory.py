"""The part of the ledger that is read before boards are worked on, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, func, insert, select, update

from orchestrator.backends.ledger_database import SqlDatabase
from orchestrator.backends.ledger_rows import (
    compatibility_key,
    compatibility_of,
)
from orchestrator.backends.ledger_schema import (
    COMPATIBILITY,
    HEALTHS,
    OUTCOMES,
    PLANS,
    RUNS,
    SIGHTINGS,
)
from orchestrator.backends.sql_outcomes import read_outcomes
from orchestrator.domain import (
    BoardOutcome,
    CompatibilityFact,
    Health,
    Json,
    LastRun,
    Sighting,
)

if TYPE_CHECKING:
    from sqlalchemy import Table

#: A baseline is looked for in so many earlier runs of a recipe.
_EARLIER_RUNS = 100
#: What a later measurement may be compared with.
_COMPARABLE = ("VALID", "NOISY")


class SqlFleetMemory(SqlDatabase):
    """Plans of runs, the boards' health and releases, and what they could load."""

    def record_plan(self, run_id: str, plan: Mapping[str, Json]) -> None:
        """Write down what a run is about to do; a second time replaces the first."""
        self._replace(PLANS, {"run_id": run_id}, {"plan": dict(plan)})

    def plan(self, run_id: str) -> dict[str, Json] | None:
        """Give what a run was about to do."""
        rows = self._rows(select(PLANS).where(PLANS.c.run_id == run_id))
        return dict(rows[0]["plan"]) if rows else None

    def record_health(self, health: Health) -> None:
        """Keep a board's health; it replaces what was known."""
        self._replace(HEALTHS, {"board": health.board}, asdict(health))

    def healths(self) -> dict[str, Health]:
        """Give what is known of each board's health, by its name."""
        return {row["board"]: Health(**row) for row in self._rows(select(HEALTHS))}

    def record_sighting(self, sighting: Sighting) -> None:
        """Keep what a board said of itself; it replaces what was known."""
        self._replace(SIGHTINGS, {"board": sighting.board}, asdict(sighting))

    def sightings(self) -> dict[str, Sighting]:
        """Give what each board last said of itself, by its name."""
        return {row["board"]: Sighting(**row) for row in self._rows(select(SIGHTINGS))}

    def board_uids(self) -> dict[str, str]:
        """Give the uid that each board last had, by its name."""
        return {name: one.uid for name, one in self.sightings().items() if one.uid}

    def record_compatibility(self, fact: CompatibilityFact) -> None:
        """Add to what is known: the counts of the same fact add up."""
        key = compatibility_key(fact)
        same = and_(*(COMPATIBILITY.c[name] == value for name, value in key.items()))
        more = {"count": COMPATIBILITY.c.count + fact.count, "at": fact.at}
        with self._transaction() as connection:
            if connection.execute(update(COMPATIBILITY).where(same).values(more)).rowcount == 0:
                row = key | {"count": fact.count, "at": fact.at}
                connection.execute(insert(COMPATIBILITY).values(**row))

    def compatibility(self, pulsar2_version: str) -> list[CompatibilityFact]:
        """Give what boards made of models by this version, the newest first."""
        found = select(COMPATIBILITY).where(COMPATIBILITY.c.pulsar2_version == pulsar2_version)
        newest = found.order_by(COMPATIBILITY.c.at.desc(), COMPATIBILITY.c.board)
        return [compatibility_of(row) for row in self._rows(newest)]

    def outcomes(self, run_id: str) -> list[BoardOutcome]:
        """Give the outcomes of a run in the order of board names."""
        with self._engine.connect() as connection:
            return read_outcomes(connection, run_id)

    def last_outcomes(
        self, boards: Sequence[str], recipe: str, before_run: str
    ) -> dict[str, BoardOutcome]:
        """Give each board's newest outcome that later ones may be compared with."""
        found: dict[str, BoardOutcome] = {}
        for run_id in self._runs_before(before_run, recipe):
            missing = set(boards) - found.keys()
            if not missing:
                break
            found |= {
                one.board: one
                for one in self.outcomes(run_id)
                if one.board in missing and _is_comparable(one)
            }
        return found

    def last_runs(self, boards: Sequence[str]) -> dict[str, LastRun]:
        """Give the newest run that visited each board, by the board's name."""
        here = OUTCOMES.c.board.in_(boards)
        both = OUTCOMES.join(RUNS, OUTCOMES.c.run_id == RUNS.c.run_id)
        newest = (
            select(OUTCOMES.c.board, func.max(RUNS.c.started_at).label("started_at"))
            .select_from(both)
            .where(here)
            .group_by(OUTCOMES.c.board)
            .subquery()
        )
        same = and_(newest.c.board == OUTCOMES.c.board, newest.c.started_at == RUNS.c.started_at)
        columns = (OUTCOMES.c.board, RUNS.c.run_id, RUNS.c.started_at, OUTCOMES.c.error_code)
        query = select(*columns).select_from(both.join(newest, same)).order_by(RUNS.c.run_id)
        return {row["board"]: LastRun(**row) for row in self._rows(query)}

    def _runs_before(self, run_id: str, recipe: str) -> list[str]:
        """Give the ids of a recipe's runs that started before this one, the newest first."""
        started = select(RUNS.c.started_at).where(RUNS.c.run_id == run_id).scalar_subquery()
        earlier = RUNS.c.started_at <= func.coalesce(started, RUNS.c.started_at)
        where = and_(RUNS.c.recipe == recipe, RUNS.c.run_id != run_id, earlier)
        newest = (RUNS.c.started_at.desc(), RUNS.c.run_id.desc())
        query = select(RUNS.c.run_id).where(where).order_by(*newest).limit(_EARLIER_RUNS)
        return [str(row["run_id"]) for row in self._rows(query)]

    def _replace(self, table: Table, key: Mapping[str, str], values: Mapping[str, object]) -> None:
        same = and_(*(table.c[name] == value for name, value in key.items()))
        with self._transaction() as connection:
            connection.execute(delete(table).where(same))
            connection.execute(insert(table).values(**{**key, **values}))


def _is_comparable(outcome: BoardOutcome) -> bool:
    judged = outcome.judged
    measured = outcome.measurement is not None and not outcome.error_code
    return measured and judged is not None and judged.verdict in _COMPARABLE
