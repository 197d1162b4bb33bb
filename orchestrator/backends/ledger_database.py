"""Opens the ledger's database: SQLite in WAL mode, or what a URL names."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event, insert, make_url, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from orchestrator.backends.ledger_schema import META, SCHEMA_VERSION, UPGRADABLE, VERSION
from orchestrator.errors import ConfigError, OrchError

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.engine import Connection, Engine, RowMapping
    from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
    from sqlalchemy.pool import ConnectionPoolEntry

#: How long a writer waits for another one.
_BUSY_TIMEOUT_S = 30
_POLL_S = 0.01


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
    with engine.begin() as connection:  # several may open a new ledger at once
        for table in META.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))
    with suppress(IntegrityError), engine.begin() as connection:
        if connection.execute(select(VERSION.c.version)).scalar() is None:
            connection.execute(insert(VERSION).values(version=SCHEMA_VERSION))
    with engine.connect() as connection:
        old = connection.execute(select(VERSION.c.version)).scalar() in UPGRADABLE
    if old:
        with engine.begin() as connection:
            older = VERSION.c.version.in_(UPGRADABLE)
            connection.execute(update(VERSION).where(older).values(version=SCHEMA_VERSION))
    with engine.connect() as connection:
        found = connection.execute(select(VERSION.c.version)).scalar()
    if found != SCHEMA_VERSION:
        raise ConfigError(
            f"ledger {public_url(url)}: it has schema {found}, this orch knows {SCHEMA_VERSION}",
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
