"""The time of day, as the ledger writes it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """Give the time now: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
