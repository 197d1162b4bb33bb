"""Opens the ledger's database: SQLite in WAL mode, or what a URL names."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event, insert, inspect, make_url, select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from orchestrator.backends.ledger_schema import META, SCHEMA_VERSION, VERSION
from orchestrator.errors import ConfigError, OrchError

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.engine import Connection, Engine, RowMapping
    from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
    from sqlalchemy.pool import ConnectionPoolEntry

#: How long a writer waits for another one.
_BUSY_TIMEOUT_S = 30
_POLL_S = 0.01
#: Any number: orchs that make the same PostgreSQL ledger wait for each other by it.
_MAKING = 72_652


class SqlDatabase:
    """An open ledger; each write is one transaction."""

    def __init__(self, url: str) -> None:
        if url.startswith("sqlite:///"):
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        try:
            self._engine = open_database(url)
        except ModuleNotFoundError as error:
            message = f"ledger {public_url(url)}: its driver is not installed: {error.name}"
            raise ConfigError(message, f"pip install {error.name}") from error
        except SQLAlchemyError as error:
            said = str(error.__cause__ or error).splitlines()[0]
            message = f"ledger {public_url(url)}: cannot be opened: {said}"
            raise OrchError(message, "is ORCH_LEDGER right, and the database up?") from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

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


def public_url(url: str) -> str:
    """Give the URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "(not a URL of a database)"


def open_database(url: str) -> Engine:
    """Open the database and make the tables that it lacks.

    Raises ConfigError for a schema that is not known.
    """
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
    if _schema_of(engine) is None:
        _make(engine)
    found = _schema_of(engine)
    if found is not None and found < SCHEMA_VERSION:
        from orchestrator.backends.ledger_migrations import bring_up_to_date

        _keep_copy(engine, found)
        bring_up_to_date(engine)
        found = _schema_of(engine)
    if found != SCHEMA_VERSION:
        raise ConfigError(
            f"ledger {public_url(url)}: it has schema {found}, this orch knows {SCHEMA_VERSION}",
            "a newer orch wrote it: use that one, or another ORCH_HOME",
        )
    return engine


def _schema_of(engine: Engine) -> int | None:
    """Give the schema of a ledger; None: it is new."""
    if not inspect(engine).has_table(VERSION.name):
        return None
    with engine.connect() as connection:
        found: int | None = connection.execute(select(VERSION.c.version)).scalar()
        return found


def _make(engine: Engine) -> None:
    """Make all tables, or what another process that opens it too has not made yet."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # its IF NOT EXISTS is not safe against others
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MAKING})"))
        for table in META.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))
    with suppress(IntegrityError), engine.begin() as connection:
        if connection.execute(select(VERSION.c.version)).scalar() is None:
            connection.execute(insert(VERSION).values(version=SCHEMA_VERSION))


def _keep_copy(engine: Engine, schema: int) -> None:
    """Keep a ledger in a file as it is before it is brought up to date."""
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path or path == ":memory:":
        return
    copy = Path(f"{path}.schema-{schema}")
    if not copy.exists():
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)


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
