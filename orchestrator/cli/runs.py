"""A run in the ledger: named when it starts, and how it ended, whatever happens."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestrator.clock import now
from orchestrator.errors import INTERRUPTED, OrchError

if TYPE_CHECKING:
    from orchestrator.backends.sql_ledger import SqlLedger
    from orchestrator.domain import RunRecord


def new_run(command: str, fleet: str, recipe: str) -> RunRecord:
    """Name a run that starts now."""
    from orchestrator.domain import RunRecord

    started = datetime.now(UTC)
    run_id = f"{started:%Y%m%d-%H%M%S}-{os.urandom(2).hex()}"
    return RunRecord(
        run_id, command, fleet, recipe, started.isoformat(timespec="seconds"), None, None, {}
    )


@dataclass(slots=True)
class Ending:
    """How a run ended, as far as is known."""

    run: RunRecord


@contextmanager
def recorded(ledger: SqlLedger, started: RunRecord) -> Iterator[Ending]:
    """Keep in the ledger that a run began, and how it ended, whatever happens."""
    ledger.start_run(started)
    ending = Ending(ended(started, 1))
    try:
        yield ending
    except OrchError as error:
        ending.run = ended(started, error.exit_code)
        raise
    except KeyboardInterrupt:
        ending.run = ended(started, INTERRUPTED)
        raise
    finally:
        ledger.finish_run(ending.run)


def ended(run: RunRecord, exit_code: int) -> RunRecord:
    """Give the run as it ended now."""
    return replace(run, finished_at=now(), exit_code=exit_code)
