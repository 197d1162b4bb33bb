"""The ledger's hash chain: a link with each row that is written, in the same transaction."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, text

from orchestrator.backends.ledger_packing import unpack_json
from orchestrator.backends.ledger_rows import run_of
from orchestrator.backends.ledger_schema import CHAIN, FIGURES, NIGHTS, OUTCOMES, RUNS, TRENDS
from orchestrator.backends.sql_outcomes import read_outcomes
from orchestrator.chain import content_of_night, content_of_outcome, content_of_run, next_link
from orchestrator.clock import now
from orchestrator.domain import Figures, Link, Night

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

#: Any number: writers of one PostgreSQL ledger wait for each other by it. SQLite has one at a time.
_LOCK = 72_651


def append(connection: Connection, kind: str, subject: str, content: str | None) -> None:
    """Add a link to the chain; nothing for a row that is not there."""
    if content is None:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    link = next_link(last_link(connection), kind, subject, content, now())
    connection.execute(insert(CHAIN).values(**asdict(link)))


def last_link(connection: Connection) -> Link | None:
    """Give the newest link."""
    newest = select(CHAIN).order_by(CHAIN.c.number.desc()).limit(1)
    row = connection.execute(newest).mappings().first()
    return None if row is None else Link(**row)


def link_outcome(connection: Connection, run_id: str, board: str, kind: str = "outcome") -> None:
    """Add a link on a board's row, as it can be read now."""
    content = outcome_content(connection, run_id, board)
    append(connection, kind, f"{run_id}/{board}", content)


def link_run(connection: Connection, run_id: str, kind: str = "run") -> None:
    """Add a link on a run's row."""
    append(connection, kind, run_id, run_content(connection, run_id))


def link_night(connection: Connection, night_id: str, kind: str = "night") -> None:
    """Add a link on a night and what was judged in it."""
    append(connection, kind, night_id, night_content(connection, night_id))


def outcome_content(connection: Connection, run_id: str, board: str) -> str | None:
    """Name what a board's row says now; None: it is not there."""
    outcomes = read_outcomes(connection, run_id, board)
    if not outcomes:
        return None
    where = (FIGURES.c.run_id == run_id) & (FIGURES.c.board == board)
    row = connection.execute(select(FIGURES).where(where)).mappings().first()
    figures = None if row is None else Figures(**{**row, "rounds_ms": tuple(row["rounds_ms"])})
    return content_of_outcome(outcomes[0], figures)


def run_content(connection: Connection, run_id: str) -> str | None:
    """Name what a run's row says now; None: it is not there."""
    row = connection.execute(select(RUNS).where(RUNS.c.run_id == run_id)).mappings().first()
    return None if row is None else content_of_run(run_of(row))


def night_content(connection: Connection, night_id: str) -> str | None:
    """Name what a night's row says now; None: it is not there."""
    found = select(NIGHTS).where(NIGHTS.c.night_id == night_id)
    row = connection.execute(found).mappings().first()
    if row is None:
        return None
    query = select(TRENDS.c.judged).where(TRENDS.c.night == night_id).order_by(TRENDS.c.place)
    judged = [unpack_json(one) for one in connection.execute(query).scalars()]
    return content_of_night(Night(**row), judged)


def adopt(connection: Connection) -> None:
    """Begin the chain of a ledger that had none: a link on each row that is there."""
    if connection.execute(select(func.count()).select_from(CHAIN)).scalar():
        return
    for run_id in (
        connection.execute(select(RUNS.c.run_id).order_by(RUNS.c.started_at)).scalars().all()
    ):
        boards = select(OUTCOMES.c.board).where(OUTCOMES.c.run_id == run_id)
        for board in connection.execute(boards.order_by(OUTCOMES.c.board)).scalars().all():
            link_outcome(connection, run_id, board, "adopted")
        link_run(connection, run_id, "adopted")
