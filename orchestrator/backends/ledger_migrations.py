"""Brings a ledger of an older schema up to date, by alembic; imported only when there is one."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from sqlalchemy import select, text

from orchestrator.backends.ledger_schema import SCHEMA_VERSION, VERSION

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

#: Any number: orchs that open the same PostgreSQL ledger wait for each other by it.
_LOCK = 72_650


def bring_up_to_date(engine: Engine) -> None:
    """Take it through all schemas that it lacks, in one transaction; others wait meanwhile."""
    with as_file(files("orchestrator.backends") / "migrations") as folder, engine.connect() as line:
        _begin_alone(line)
        schema = line.execute(select(VERSION.c.version)).scalar()
        if schema is not None and schema < SCHEMA_VERSION:
            config = Config()
            config.set_main_option("script_location", str(folder).replace("%", "%%"))
            config.attributes["connection"] = line
            command.stamp(config, f"{schema:04d}")
            command.upgrade(config, f"{SCHEMA_VERSION:04d}")
            line.execute(VERSION.update().values(version=SCHEMA_VERSION))
        line.commit()


def _begin_alone(connection: Connection) -> None:
    """Begin a transaction that no second writer gets into."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
