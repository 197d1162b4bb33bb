"""The ledger in SQL: SQLite in WAL mode by default, PostgreSQL by its URL."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Table, delete, func, insert, select, update

from orchestrator.backends.ledger_chain import link_outcome, link_run
from orchestrator.backends.ledger_packing import pack_json, pack_samples
from orchestrator.backends.ledger_rows import (
    action_of,
    release_of,
    run_of,
)
from orchestrator.backends.ledger_schema import (
    ACTIONS,
    DETAILS,
    FIGURES,
    MEASUREMENTS,
    OUTCOMES,
    RELEASES,
    RUNS,
    USES,
)
from orchestrator.backends.sql_fleet_memory import SqlFleetMemory
from orchestrator.backends.sql_history import SqlHistory
from orchestrator.backends.sql_trust import SqlTrust
from orchestrator.domain import ActionRecord, BoardOutcome, KeptAction, KeptRelease, RunRecord
from orchestrator.figures import figures_of


class SqlLedger(SqlHistory, SqlFleetMemory, SqlTrust):
    """Runs, actions, outcomes and measurements; and what boards were like."""

    def start_run(self, run: RunRecord) -> None:
        """Write down that a run has begun."""
        with self._transaction() as connection:
            connection.execute(insert(RUNS).values(**asdict(run)))

    def finish_run(self, run: RunRecord) -> None:
        """Write down how it ended."""
        with self._transaction() as connection:
            connection.execute(
                update(RUNS).where(RUNS.c.run_id == run.run_id).values(**asdict(run))
            )
            link_run(connection, run.run_id)

    def record_action(self, action: ActionRecord) -> None:
        """Keep a finished action; the newest of a key wins."""
        with self._transaction() as connection:
            connection.execute(insert(ACTIONS).values(**asdict(action)))

    def find_action(self, key: str) -> ActionRecord | None:
        """Give the newest action with this key."""
        rows = self._rows(select(ACTIONS).where(ACTIONS.c.key == key).order_by(ACTIONS.c.id.desc()))
        return action_of(rows[0]) if rows else None

    def last_action(self, stage: str, recipe: str) -> ActionRecord | None:
        """Give the newest action of a stage for a recipe."""
        where = (ACTIONS.c.stage == stage) & (ACTIONS.c.recipe == recipe)
        rows = self._rows(select(ACTIONS).where(where).order_by(ACTIONS.c.id.desc()).limit(1))
        return action_of(rows[0]) if rows else None

    def record_use(self, key: str, used_at: str) -> None:
        """Write down when an action was last used."""
        with self._transaction() as connection:
            connection.execute(delete(USES).where(USES.c.key == key))
            connection.execute(insert(USES).values(key=key, used_at=used_at))

    def kept_actions(self) -> list[KeptAction]:
        """Give the newest action of every key, newest first."""
        newest = select(func.max(ACTIONS.c.id)).group_by(ACTIONS.c.key).scalar_subquery()
        rows = self._rows(
            select(ACTIONS).where(ACTIONS.c.id.in_(newest)).order_by(ACTIONS.c.id.desc())
        )
        used = {row["key"]: str(row["used_at"]) for row in self._rows(select(USES))}
        actions = [action_of(row) for row in rows]
        return [
            KeptAction(action, max(action.created_at, used.get(action.key, "")))
            for action in actions
        ]

    def forget_action(self, key: str) -> None:
        """Drop all actions with this key."""
        with self._transaction() as connection:
            for table in (ACTIONS, USES):
                connection.execute(delete(table).where(table.c.key == key))

    def record_release(self, release: KeptRelease) -> None:
        """Write down what a release is made of; the same id again replaces it."""
        with self._transaction() as connection:
            same = RELEASES.c.release_id == release.release_id
            connection.execute(delete(RELEASES).where(same))
            connection.execute(insert(RELEASES).values(**asdict(release)))

    def kept_releases(self) -> list[KeptRelease]:
        """Give all releases, the last used first."""
        newest = (RELEASES.c.used_at.desc(), RELEASES.c.release_id)
        return [release_of(row) for row in self._rows(select(RELEASES).order_by(*newest))]

    def forget_release(self, release_id: str) -> None:
        """Drop a release."""
        with self._transaction() as connection:
            connection.execute(delete(RELEASES).where(RELEASES.c.release_id == release_id))

    def record_outcome(self, run_id: str, outcome: BoardOutcome) -> None:
        """Keep what a run learned of one board; a second time replaces the first."""
        row = asdict(outcome) | {"run_id": run_id, "simulated": int(outcome.simulated)}
        measured = row.pop("measurement")
        rest = {"outcome": _more(row, OUTCOMES), "measurement": _more(measured or {}, MEASUREMENTS)}
        key = {"run_id": run_id, "board": outcome.board}
        with self._transaction() as connection:
            for table in (OUTCOMES, MEASUREMENTS, DETAILS, FIGURES):
                same = (table.c.run_id == run_id) & (table.c.board == outcome.board)
                connection.execute(delete(table).where(same))
            connection.execute(insert(OUTCOMES).values(**row))
            connection.execute(insert(DETAILS).values(**(key | rest)))
            if measured is not None:
                packed: dict[str, object] = {
                    name: pack_samples(measured[name]) for name in ("warmup_ns", "samples_ns")
                }
                packed |= {name: measured[name] or 0 for name in ("load_ns", "first_ns")}
                connection.execute(insert(MEASUREMENTS).values(**(measured | packed | key)))
            run = connection.execute(select(RUNS).where(RUNS.c.run_id == run_id)).mappings().first()
            if run is not None:
                figures = figures_of(run_of(run), outcome)
                connection.execute(insert(FIGURES).values(**asdict(figures)))
            link_outcome(connection, run_id, outcome.board)

    def runs(self, limit: int) -> list[RunRecord]:
        """Give the newest runs, newest first."""
        newest = (RUNS.c.started_at.desc(), RUNS.c.run_id.desc())
        return [run_of(row) for row in self._rows(select(RUNS).order_by(*newest).limit(limit))]

    def run(self, run_id: str) -> RunRecord | None:
        """Give one run."""
        rows = self._rows(select(RUNS).where(RUNS.c.run_id == run_id))
        return run_of(rows[0]) if rows else None


def _more(values: dict[str, object], table: Table) -> bytes:
    """Take what a table has no column for out of `values`, and pack it."""
    return pack_json({name: values.pop(name) for name in [*values] if name not in table.c})
