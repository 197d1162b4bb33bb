"""When actions were used, and what releases are made of."""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, Column, String

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make what is new."""
    op.create_table(
        "uses",
        Column("key", String(64), primary_key=True),
        Column("used_at", String(32), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "releases",
        Column("release_id", String(192), primary_key=True),
        Column("recipe", String(128), nullable=False),
        Column("keys", JSON, nullable=False),
        Column("inputs", JSON, nullable=False),
        Column("used_at", String(32), nullable=False),
        if_not_exists=True,
    )
