"""Opens the ledger's database: SQLite in WAL mode, or what a URL names."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event, insert, make_url, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from orchestrator.backends.ledger_schema import META, SCHEMA_VERSION, UPGRADABLE, VERSION
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
    from sqlalchemy.pool import ConnectionPoolEntry

#: How long a writer waits for another one.
_BUSY_TIMEOUT_S = 30
_POLL_S = 0.01


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
