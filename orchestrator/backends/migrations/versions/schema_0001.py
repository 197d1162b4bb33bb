"""The first schema: it is there where there is a ledger."""

from __future__ import annotations

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make what is new."""
