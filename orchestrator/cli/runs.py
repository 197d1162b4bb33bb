"""A run in the ledger: named when it starts, and how it ended, whatever happens."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.clock import now
from orchestrator.errors import INTERRUPTED, OrchError

if TYPE_CHECKING:
    from orchestrator.backends.sql_ledger import SqlLedger
    from orchestrator.domain import BoardOutcome, RunRecord


#: Of so many runs it is looked whether they were killed: their leases do not last long.
_LATEST = 50


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
    if ledger.run(started.run_id) is None:
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


def continued(ledger: SqlLedger, run: RunRecord, release_id: str) -> tuple[BoardOutcome, ...]:
    """Give what a run knows of its boards already, and hold it to the release that it is about.

    Boards that were not reached, were taken or were not well are visited again. Raises ConfigError.
    """
    from orchestrator.errors import ConfigError
    from orchestrator.fleet.retries import MENDED, STATE, TAKEN_OVER, TRANSPORT

    plan = ledger.plan(run.run_id)
    if plan is not None and plan["release_id"] != release_id:
        raise ConfigError(
            f"run {run.run_id} was about release {plan['release_id']}, the recipe now gives "
            f"{release_id}",
            "go back to the recipe, images and toolchain of that run, or start a new one",
        )
    ledger.record_plan(run.run_id, {"release_id": release_id})
    outcomes = ledger.outcomes(run.run_id)
    again = STATE | TRANSPORT | TAKEN_OVER | MENDED
    return tuple(one for one in outcomes if one.error_code not in again)


@contextmanager
def dead_runs(ledger: SqlLedger, locks: Path) -> Iterator[tuple[str, ...]]:
    """Give the runs whose process was killed; for no other process are they dead meanwhile.

    `locks` is where a run is locked by the process that is at it.
    """
    from orchestrator.locks import try_hold

    begun = [run.run_id for run in ledger.runs(_LATEST) if run.finished_at is None]
    with ExitStack() as stack:
        yield tuple(
            run_id for run_id in begun if stack.enter_context(try_hold(locks / f"{run_id}.lock"))
        )


def ended(run: RunRecord, exit_code: int) -> RunRecord:
    """Give the run as it ended now."""
    return replace(run, finished_at=now(), exit_code=exit_code)
