"""Figures and the hash chain of what an older orch has written down."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from orchestrator.backends.ledger_chain import adopt
from orchestrator.backends.ledger_rows import run_of
from orchestrator.backends.ledger_schema import FIGURES, RUNS
from orchestrator.backends.sql_outcomes import read_outcomes
from orchestrator.figures import figures_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def fill(connection: Connection) -> None:
    """Give every outcome its figures, and every row its link."""
    connection.execute(delete(FIGURES))
    for row in connection.execute(select(RUNS).order_by(RUNS.c.started_at)).mappings().all():
        run = run_of(row)
        for outcome in read_outcomes(connection, run.run_id):
            connection.execute(insert(FIGURES).values(**asdict(figures_of(run, outcome))))
    adopt(connection)
