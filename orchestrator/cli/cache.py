"""`orch cache list` and `orch cache gc`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import InventoryOption, JsonOption
from orchestrator.domain import Json

if TYPE_CHECKING:
    from orchestrator.domain import KeptAction
    from orchestrator.eviction import Cleared

app = typer.Typer(
    help="The finished actions that later builds take their results from.", no_args_is_help=True
)
_KEY_LENGTH = 12


@app.command("list")
def list_actions(inventory: InventoryOption = None, json: JsonOption = False) -> None:
    """List the finished actions, newest first: what they made, and who uses it."""
    from orchestrator.cli.console import out, print_json, print_table
    from orchestrator.cli.options import open_ledger
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    with open_ledger(place, keep=False) as ledger:
        actions, releases = ledger.kept_actions(), ledger.kept_releases()
    there = {blob.sha256 for blob in place.blobs().stored()}
    users = {
        kept.action.key: [one.release_id for one in releases if kept.action.key in one.keys]
        for kept in actions
    }
    if json:
        rows = [_as_json(kept, there, users[kept.action.key]) for kept in actions]
        print_json({"actions": list[Json](rows)})
        return
    if not actions:
        out().print("no actions yet: orch build")
        return
    header = (
        *("stage", "recipe", "key", "made", "used", "seconds", "bytes"),
        *("pulsar2", "target", "files", "used by"),
    )
    rows_text = [_row(kept, there, users[kept.action.key]) for kept in actions]
    print_table("", header, rows_text, console=out())


@app.command("gc")
def gc(
    max_size: Annotated[
        str, typer.Option("--max-size", help="What may be kept: 500MB, 10GB, 1.5GiB, 0.")
    ],
    inventory: InventoryOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go; remove nothing.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Remove what was not used for longest until the rest fits, and what killed processes left."""
    from orchestrator.cache import Cache
    from orchestrator.cli.console import print_json, progress
    from orchestrator.cli.options import open_ledger
    from orchestrator.cli.sizes import parse_size
    from orchestrator.eviction import clear
    from orchestrator.wiring import open_workplace

    max_bytes = parse_size(max_size, "--max-size")
    place = open_workplace(inventory)
    # Artifacts elsewhere may be shared with other ledgers: what this one does not know stays there.
    sole = "ORCH_BLOBS" not in os.environ or "ORCH_LEDGER" in os.environ
    with open_ledger(place, keep=False) as ledger, progress() as shown:

        def waiting() -> None:
            shown.event("cache", "another orch looks something up; waiting for it")

        cache = Cache(ledger, place.blobs(), place.home / "work")
        cleared = clear(cache, max_bytes, waiting, orphans=sole, dry_run=dry_run)
    if json:
        print_json(_cleared_json(cleared, max_bytes, dry_run=dry_run))
        return
    _print_cleared(cleared, max_bytes, dry_run=dry_run)


def _print_cleared(cleared: Cleared, max_bytes: int, *, dry_run: bool) -> None:
    """Print what went, and one sentence."""
    from orchestrator.cli.console import out, print_table
    from orchestrator.cli.sizes import size_text

    plan, console = cleared.plan, out()
    if plan.removed:
        rows = [(one.label, one.name[:_KEY_LENGTH], one.used_at) for one in plan.removed]
        print_table("", ("what", "key", "last used"), rows, console=console)
    freed = sum(blob.size_bytes for blob in (*plan.blobs, *plan.orphans)) + cleared.scratch_bytes
    verb = "would go" if dry_run else "gone"
    console.print(
        f"{verb}: actions and inputs {len(plan.removed)}, artifacts that nothing refers to "
        f"{len(plan.orphans)}, locks {cleared.locks}, in all {size_text(freed)}; "
        f"kept: {size_text(plan.kept_bytes)}"
    )
    if plan.kept_bytes > max_bytes:
        console.print(
            f"that is more than {size_text(max_bytes)}: {size_text(plan.needed_bytes)} are needed "
            "by the newest release of each recipe, or by a run that is at work"
        )


def _cleared_json(cleared: Cleared, max_bytes: int, *, dry_run: bool) -> Json:
    plan = cleared.plan
    return {
        "dry_run": dry_run,
        "max_bytes": max_bytes,
        "removed": [
            {"kind": one.kind, "name": one.name, "what": one.label, "used_at": one.used_at}
            for one in plan.removed
        ],
        "removed_bytes": sum(blob.size_bytes for blob in plan.blobs),
        "orphans": len(plan.orphans),
        "orphan_bytes": sum(blob.size_bytes for blob in plan.orphans),
        "scratch_bytes": cleared.scratch_bytes,
        "locks": cleared.locks,
        "kept_bytes": plan.kept_bytes,
        "needed_bytes": plan.needed_bytes,
    }


def _missing(kept: KeptAction, there: set[str]) -> list[str]:
    """Give the roles of the files that are no longer there."""
    outputs = kept.action.outputs.items()
    return [role for role, item in outputs if item.sha256 not in there]


def _size(kept: KeptAction) -> int:
    return sum(item.size_bytes for item in kept.action.outputs.values())


def _row(kept: KeptAction, there: set[str], releases: list[str]) -> tuple[str, ...]:
    action, missing = kept.action, _missing(kept, there)
    return (
        action.stage,
        action.recipe,
        action.key[:_KEY_LENGTH],
        action.created_at,
        kept.used_at,
        f"{action.seconds:.1f}",
        f"{_size(kept):,}",
        _pulsar2(kept) or "-",
        _target(kept) or "-",
        f"missing: {', '.join(missing)}" if missing else "there",
        ", ".join(releases) or f"run {action.run_id}",
    )


def _as_json(kept: KeptAction, there: set[str], releases: list[str]) -> Json:
    action = kept.action
    return {
        "stage": action.stage,
        "recipe": action.recipe,
        "key": action.key,
        "made_at": action.created_at,
        "used_at": kept.used_at,
        "seconds": action.seconds,
        "bytes": _size(kept),
        "pulsar2": _pulsar2(kept),
        "target": _target(kept),
        "missing": list[Json](_missing(kept, there)),
        "outputs": {role: item.sha256 for role, item in action.outputs.items()},
        "releases": list[Json](releases),
        "run_id": action.run_id,
    }


def _pulsar2(kept: KeptAction) -> str | None:
    """Give the version of the toolchain that took part."""
    found = kept.action.fields.get("toolchain_version")
    return f"{found} simulated" if found and kept.action.facts.get("simulated") is True else found


def _target(kept: KeptAction) -> str | None:
    facts = kept.action.facts
    return f"{facts['hardware']}/{facts['npu_mode']}" if "npu_mode" in facts else None
