"""What is remembered of boards between runs."""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, Column, Integer, String, Text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make what is new."""
    op.create_table(
        "plans",
        Column("run_id", String(64), primary_key=True),
        Column("plan", JSON, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "healths",
        Column("board", String(64), primary_key=True),
        Column("failures", Integer, nullable=False),
        Column("since", String(32)),
        Column("code", String(32), nullable=False),
        Column("error", Text, nullable=False),
        Column("quarantined_since", String(32)),
        Column("next_probe_at", String(32)),
        Column("checked_at", String(32), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "sightings",
        Column("board", String(64), primary_key=True),
        Column("uid", String(128)),
        Column("current", String(192)),
        Column("previous", String(192)),
        Column("seen_at", String(32), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "compatibility",
        Column("pulsar2_version", String(64), primary_key=True),
        Column("sdk_version", String(128), primary_key=True),
        Column("engine_version", String(128), primary_key=True),
        Column("axengine_sha256", String(64), primary_key=True),
        Column("simulated", Integer, primary_key=True, autoincrement=False),
        Column("release_id", String(192), primary_key=True),
        Column("board", String(64), primary_key=True),
        Column("outcome", String(16), primary_key=True),
        Column("count", Integer, nullable=False),
        Column("at", String(32), nullable=False),
        if_not_exists=True,
    )
