"""The ledger in SQL: SQLite in WAL mode by default, PostgreSQL by its URL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, delete, event, insert, make_url, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from orchestrator.backends.ledger_schema import (
    ACTIONS,
    MEASUREMENTS,
    META,
    OUTCOMES,
    RUNS,
    SCHEMA_VERSION,
    VERSION,
    pack_samples,
    unpack_samples,
)
from orchestrator.domain import (
    ActionRecord,
    Agreement,
    Artifact,
    BoardOutcome,
    Delivery,
    Judged,
    Measurement,
    RunRecord,
)
from orchestrator.errors import ConfigError, OrchError

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.engine import Connection, Engine, RowMapping
    from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
    from sqlalchemy.pool import ConnectionPoolEntry

#: How long a writer waits for another one.
_BUSY_TIMEOUT_S = 30
_POLL_S = 0.01


class SqlLedger:
    """Runs, actions, outcomes and measurements; each write is one transaction."""

    def __init__(self, url: str) -> None:
        if url.startswith("sqlite:///"):
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        try:
            self._engine = _open(url)
        except ModuleNotFoundError as error:
            message = f"ledger {_public(url)}: its driver is not installed: {error.name}"
            raise ConfigError(message, f"pip install {error.name}") from error
        except SQLAlchemyError as error:
            said = str(error.__cause__ or error).splitlines()[0]
            message = f"ledger {_public(url)}: cannot be opened: {said}"
            raise OrchError(message, "is ORCH_LEDGER right, and the database up?") from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

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

    def record_action(self, action: ActionRecord) -> None:
        """Keep a finished action; the newest of a key wins."""
        with self._transaction() as connection:
            connection.execute(insert(ACTIONS).values(**asdict(action)))

    def find_action(self, key: str) -> ActionRecord | None:
        """Give the newest action with this key."""
        rows = self._rows(select(ACTIONS).where(ACTIONS.c.key == key).order_by(ACTIONS.c.id.desc()))
        return _action(rows[0]) if rows else None

    def last_action(self, stage: str, recipe: str) -> ActionRecord | None:
        """Give the newest action of a stage for a recipe."""
        where = (ACTIONS.c.stage == stage) & (ACTIONS.c.recipe == recipe)
        rows = self._rows(select(ACTIONS).where(where).order_by(ACTIONS.c.id.desc()).limit(1))
        return _action(rows[0]) if rows else None

    def record_outcome(self, run_id: str, outcome: BoardOutcome) -> None:
        """Keep what a run learned of one board; a second time replaces the first."""
        row = asdict(outcome) | {"run_id": run_id, "simulated": int(outcome.simulated)}
        measured = row.pop("measurement")
        with self._transaction() as connection:
            for table in (OUTCOMES, MEASUREMENTS):
                same = (table.c.run_id == run_id) & (table.c.board == outcome.board)
                connection.execute(delete(table).where(same))
            connection.execute(insert(OUTCOMES).values(**row))
            if measured is not None:
                packed = {
                    name: pack_samples(measured[name]) for name in ("warmup_ns", "samples_ns")
                }
                connection.execute(
                    insert(MEASUREMENTS).values(**(measured | packed | {"run_id": run_id}))
                )

    def runs(self, limit: int) -> list[RunRecord]:
        """Give the newest runs, newest first."""
        newest = (RUNS.c.started_at.desc(), RUNS.c.run_id.desc())
        return [_run(row) for row in self._rows(select(RUNS).order_by(*newest).limit(limit))]

    def run(self, run_id: str) -> RunRecord | None:
        """Give one run."""
        rows = self._rows(select(RUNS).where(RUNS.c.run_id == run_id))
        return _run(rows[0]) if rows else None

    def outcomes(self, run_id: str) -> list[BoardOutcome]:
        """Give the outcomes of a run in the order of board names."""
        measured = {
            row["board"]: _measurement(row)
            for row in self._rows(select(MEASUREMENTS).where(MEASUREMENTS.c.run_id == run_id))
        }
        where = OUTCOMES.c.run_id == run_id
        rows = self._rows(select(OUTCOMES).where(where).order_by(OUTCOMES.c.board))
        return [_outcome(row, measured.get(row["board"])) for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Write all of it or nothing. Raises OrchError."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            said = str(error.__cause__ or error).splitlines()[0]
            message = f"ledger {self._engine.url}: cannot be written: {said}"
            raise OrchError(message, "is its disk full, or the database down?") from error

    def _rows(self, query: Select[tuple[object, ...]]) -> list[RowMapping]:
        with self._engine.connect() as connection:
            return list(connection.execute(query).mappings())


def _public(url: str) -> str:
    """Give the URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "(not a URL of a database)"


def _open(url: str) -> Engine:
    """Open the database and make its tables when new. Raises ConfigError for another schema."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
    with engine.begin() as connection:  # several may open a new ledger at once
        for table in META.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))
    with suppress(IntegrityError), engine.begin() as connection:
        if connection.execute(select(VERSION.c.version)).scalar() is None:
            connection.execute(insert(VERSION).values(version=SCHEMA_VERSION))
    with engine.connect() as connection:
        found = connection.execute(select(VERSION.c.version)).scalar()
    if found != SCHEMA_VERSION:
        raise ConfigError(
            f"ledger {_public(url)}: it has schema {found}, this orch knows {SCHEMA_VERSION}",
            "use the orch that wrote it, or another ORCH_HOME",
        )
    return engine


def _set_pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_S * 1000}")
    _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _switch_to_wal(cursor: DBAPICursor) -> None:
    """Switch a new database to WAL; for this statement busy_timeout does not hold."""
    end = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(_POLL_S)
        else:
            return


def _run(row: RowMapping) -> RunRecord:
    return RunRecord(**row)


def _action(row: RowMapping) -> ActionRecord:
    values = {name: value for name, value in row.items() if name != "id"}
    outputs = {role: Artifact(**artifact) for role, artifact in values["outputs"].items()}
    return ActionRecord(**(values | {"outputs": outputs}))


def _measurement(row: RowMapping) -> Measurement:
    values = {name: value for name, value in row.items() if name != "run_id"}
    unpacked = {name: unpack_samples(values[name]) for name in ("warmup_ns", "samples_ns")}
    return Measurement(**(values | unpacked))


def _outcome(row: RowMapping, measurement: Measurement | None) -> BoardOutcome:
    delivery, judged, agreed = row["delivery"], row["judged"], row["agreement"]
    return BoardOutcome(
        board=row["board"],
        simulated=bool(row["simulated"]),
        facts=row["facts"],
        delivery=Delivery(**delivery) if delivery else None,
        measurement=measurement,
        judged=Judged(judged["verdict"], tuple(judged["evidence"])) if judged else None,
        agreement=Agreement(**(agreed | {"per_image": tuple(agreed["per_image"])}))
        if agreed
        else None,
        error_code=row["error_code"],
        error=row["error"],
        hint=row["hint"],
        overlays=tuple(row["overlays"]),
    )
