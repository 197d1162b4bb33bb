"""Outcomes of a run with their measurements, from an open connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from orchestrator.backends.ledger_packing import unpack_json
from orchestrator.backends.ledger_rows import measurement_of, outcome_of
from orchestrator.backends.ledger_schema import DETAILS, MEASUREMENTS, OUTCOMES
from orchestrator.domain import BoardOutcome

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection, RowMapping


def read_outcomes(
    connection: Connection, run_id: str, board: str | None = None
) -> list[BoardOutcome]:
    """Give the outcomes of a run in the order of board names, or that of one board."""

    def rows(table: Table) -> list[RowMapping]:
        query = select(table).where(table.c.run_id == run_id).order_by(table.c.board)
        if board is not None:
            query = query.where(table.c.board == board)
        return list(connection.execute(query).mappings())

    details = {row["board"]: row for row in rows(DETAILS)}

    def more(name: str, of: str) -> dict[str, Any]:
        return unpack_json(details[name][of]) if name in details else {}

    measured = {
        row["board"]: measurement_of(row, more(row["board"], "measurement"))
        for row in rows(MEASUREMENTS)
    }
    return [
        outcome_of(row, measured.get(row["board"]), more(row["board"], "outcome"))
        for row in rows(OUTCOMES)
    ]
