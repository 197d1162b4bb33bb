"""What newer versions know of outcomes and measurements."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, LargeBinary, String

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make what is new."""
    op.create_table(
        "details",
        Column("run_id", String(64), primary_key=True),
        Column("board", String(64), primary_key=True),
        Column("outcome", LargeBinary, nullable=False),
        Column("measurement", LargeBinary, nullable=False),
        if_not_exists=True,
    )
