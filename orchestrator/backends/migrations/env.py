"""What alembic runs: always on the open transaction of `ledger_migrations`."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
