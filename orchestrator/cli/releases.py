"""`orch releases`, `orch rollback`, `orch fleet gc`."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.answers import print_answers
from orchestrator.cli.errands import choose, run_on
from orchestrator.cli.options import (
    ExcludeOption,
    FleetOption,
    InventoryOption,
    JsonOption,
    LimitOption,
    open_ledger,
)

if TYPE_CHECKING:
    from orchestrator.fleet.releasing import Holdings


def releases(
    fleet: FleetOption,
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    json: JsonOption = False,
) -> None:
    """Show which releases the boards have; change nothing."""
    from orchestrator.fleet.releasing import holdings

    def cells(held: Holdings) -> tuple[str, ...]:
        others = " ".join(held.others) or "none"
        return (held.current or "none", held.previous or "none", others, f"{held.blob_bytes:,}")

    place, boards = choose(fleet, limit, exclude, inventory)
    answers = run_on(place, boards, holdings, lambda held: held.current or "none", guest=True)
    header = ("current", "previous", "others", "bytes of blobs")
    print_answers(f"Releases on fleet {fleet}", header, answers, cells, json=json)


def rollback(
    fleet: FleetOption,
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    json: JsonOption = False,
) -> None:
    """Go back to the release before, on every board of a fleet."""
    from orchestrator.fleet.releasing import go_back
    from orchestrator.leases import owner_of

    errand = partial(go_back, owner=owner_of(f"rollback-{os.getpid()}"))
    place, boards = choose(fleet, limit, exclude, inventory)
    answers = run_on(place, boards, errand, lambda moved: f"{moved.before} to {moved.now}")
    print_answers(
        f"Rollback of fleet {fleet}",
        ("was", "is now"),
        answers,
        lambda moved: (moved.before, moved.now),
        json=json,
    )


def gc(
    fleet: FleetOption,
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed; remove nothing.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Remove from the boards what neither the current release nor the one before needs."""
    from orchestrator.fleet.releasing import clean
    from orchestrator.leases import owner_of

    place, boards = choose(fleet, limit, exclude, inventory)
    with open_ledger(place, keep=False) as ledger:
        # The evaluation sets of all releases: the next run would have to send them again.
        keep = [item.sha256 for one in ledger.kept_releases() for item in one.inputs]
    errand = partial(
        clean, owner=owner_of(f"gc-{os.getpid()}"), keep=sorted(set(keep)), dry_run=dry_run
    )
    freed = "would free" if dry_run else "freed"
    answers = run_on(place, boards, errand, lambda found: f"{freed} {found.freed_bytes:,} bytes")
    print_answers(
        f"Garbage of fleet {fleet}",
        ("blobs", "releases", f"bytes {freed}"),
        answers,
        lambda found: (
            str(found.blobs),
            " ".join(found.releases) or "-",
            f"{found.freed_bytes:,}",
        ),
        json=json,
    )
