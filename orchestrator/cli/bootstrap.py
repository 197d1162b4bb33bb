"""`orch fleet bootstrap`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import (
    ExcludeOption,
    FleetOption,
    InventoryOption,
    JsonOption,
    LimitOption,
    couriers,
    select_boards,
)

if TYPE_CHECKING:
    from orchestrator.bootstrap.fleet import Bootstrapped, Supplies
    from orchestrator.wiring import Workplace

_HEADER = (
    "board",
    "state",
    "Python",
    "machine",
    "libc",
    "axengine",
    "numpy",
    "sent MB",
    "self-test",
    "can run",
)


def bootstrap(
    fleet: FleetOption,
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    axengine: Annotated[
        str | None,
        typer.Option("--axengine", help="axengine's wheel: a file or an https URL."),
    ] = None,
    sha256: Annotated[
        str | None, typer.Option("--sha256", help="What the wheel's sha256 must be.")
    ] = None,
    wheels: Annotated[
        Path | None,
        typer.Option("--wheels", help="Folder of wheels to take in place of the package index."),
    ] = None,
    lock: Annotated[
        Path | None,
        typer.Option("--lock", help="Pins of the wheels; default: wheels/lock.json in ORCH_HOME."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be installed, and change nothing.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Bring the Python packages to every board that running a model takes, and try them."""
    from orchestrator.bootstrap.fleet import bootstrap_fleet
    from orchestrator.cli.console import progress
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    chosen = select_boards(place, fleet, limit, exclude)
    supplies = _supplies(place, (axengine, sha256), wheels, lock, dry_run=dry_run)
    with progress() as shown, couriers(place, chosen, shown, guest=dry_run) as (courier, boards):
        found = bootstrap_fleet(boards, chosen.caps, supplies, courier)
    _print(fleet, found, as_json=json)
    raise typer.Exit(1 if any(one.state in ("failed", "incomplete") for one in found) else 0)


def _supplies(
    place: Workplace,
    axengine: tuple[str | None, str | None],
    wheels: Path | None,
    lock: Path | None,
    *,
    dry_run: bool,
) -> Supplies:
    """Give what boards are brought; a wheel that is not the pinned one stops here."""
    from orchestrator.bootstrap.fleet import Supplies
    from orchestrator.bootstrap.wheelhouse import Wheelhouse
    from orchestrator.errors import ConfigError
    from orchestrator.leases import owner_of

    source, sha256 = axengine
    if source is not None and sha256 is None:
        raise ConfigError(
            f"--axengine {source}: without --sha256 any file would do",
            "pin it: sha256sum FILE prints what its publisher's page should say",
        )
    if source is None and sha256 is not None:
        raise ConfigError("--sha256 goes with --axengine", "name axengine's wheel as well")
    folder = place.home / "wheels"
    house = Wheelhouse(folder, lock or folder / "lock.json", wheels)
    brought = house.axengine(source, sha256) if source and sha256 else None
    return Supplies(house, brought, owner_of(f"bootstrap-{os.getpid()}"), dry_run)


def _print(fleet: str, found: Sequence[Bootstrapped], *, as_json: bool) -> None:
    from orchestrator.cli.console import out, print_json, print_table
    from orchestrator.hashing import as_json as plain

    if as_json:
        print_json(plain(found))
        return
    print_table(f"Fleet {fleet}", _HEADER, [_row(one) for one in found], console=out())
    for one in found:
        if one.error or one.hint:
            said = one.error or f"{one.board}: {one.can}"
            out().print(f"{said} ({one.hint})", markup=False, soft_wrap=True)
    ready = sum(one.state in ("ready", "installed") for one in found)
    out().print(f"{ready} of {len(found)} boards can run a model with the agent.", markup=False)


def _row(one: Bootstrapped) -> tuple[str, ...]:
    return (
        one.board,
        f"failed: {one.error_code}" if one.error else one.state,
        one.python or "-",
        one.machine or "-",
        one.libc or "-",
        one.axengine or "-",
        one.packages.get("numpy") or "-",
        f"{one.uploaded_bytes / 1e6:.1f}" if one.uploaded_bytes else "-",
        _tried(one),
        one.can or "-",
    )


def _tried(one: Bootstrapped) -> str:
    if one.selftest is None:
        return "-"
    times = one.selftest["samples_ns"]
    samples = [int(str(value)) for value in times] if isinstance(times, list) else []
    return f"{one.selftest['model']} {median(samples) / 1e6:.2f} ms"
