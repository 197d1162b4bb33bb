"""`orch fleet list|check|facts|trust`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import FleetOption, InventoryOption, JsonOption

if TYPE_CHECKING:
    from orchestrator.looking import Looked

app = typer.Typer(help="The boards of the inventory.", no_args_is_help=True, rich_markup_mode=None)

#: What `check` shows of the facts: header, key.
_CHECKED = (
    ("chip", "chip_type"),
    ("SDK", "sdk_version"),
    ("Python", "python"),
    ("VNPU", "vnpu"),
    ("°C", "temperature_c"),
)


@app.command("list")
def list_boards(inventory: InventoryOption = None, json: JsonOption = False) -> None:
    """List fleets and boards; ask no board."""
    from orchestrator.cli.console import out, print_json, print_table
    from orchestrator.hashing import as_json
    from orchestrator.wiring import open_workplace

    known = open_workplace(inventory).inventory
    if json:
        fleets = {name: [one.name for one in fleet.boards] for name, fleet in known.fleets.items()}
        boards = {name: as_json(board) for name, board in known.boards.items()}
        print_json({"boards": boards, "fleets": as_json(fleets)})
        return
    rows = []
    for name, board in known.boards.items():
        address = "simulated" if board.simulated else f"{board.user}@{board.host}:{board.port}"
        members = [fleet.name for fleet in known.fleets.values() if board in fleet.boards]
        rows.append((name, address, board.site, " ".join(board.tags), " ".join(members)))
    print_table("", ("board", "address", "site", "tags", "fleets"), rows, console=out())


@app.command()
def check(fleet: FleetOption, inventory: InventoryOption = None, json: JsonOption = False) -> None:
    """Connect to every board and say whether it can do its work."""
    from orchestrator.cli.console import out, print_json, print_table
    from orchestrator.hashing import as_json

    looked = _look(fleet, inventory)
    if json:
        print_json(as_json(looked))
    else:
        header = ("board", "state", *(name for name, _ in _CHECKED), "current release", "problem")
        rows = [
            (
                one.board,
                f"failed: {one.error_code}" if one.error else "ok",
                *(_cell(one, key) for _, key in _CHECKED),
                one.current or "-",
                f"{one.error} ({one.hint})" if one.error else "",
            )
            for one in looked
        ]
        print_table(f"Fleet {fleet}", header, rows, console=out())
    raise typer.Exit(1 if any(one.error for one in looked) else 0)


@app.command()
def facts(fleet: FleetOption, inventory: InventoryOption = None, json: JsonOption = False) -> None:
    """Print everything the boards say of themselves."""
    from orchestrator.cli.console import out, print_json, print_table
    from orchestrator.hashing import as_json

    looked = _look(fleet, inventory)
    if json:
        print_json(as_json(looked))
    else:
        names = sorted({name for one in looked for name in one.facts})
        rows = [(name, *(_cell(one, name) for one in looked)) for name in names]
        print_table(
            f"Facts of fleet {fleet}", ("fact", *(o.board for o in looked)), rows, console=out()
        )
        for one in looked:
            if one.error:
                out().print(f"failed  {one.error} ({one.hint})", markup=False, soft_wrap=True)
    raise typer.Exit(1 if any(one.error for one in looked) else 0)


@app.command()
def trust(
    board: Annotated[str, typer.Argument(help="Board from the inventory.")],
    inventory: InventoryOption = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Accept what is shown; only on a network you trust.")
    ] = False,
) -> None:
    """Show the host key that a board offers, and keep it if you say so."""
    from orchestrator.backends.host_keys import fetch_host_key, remember
    from orchestrator.errors import ConfigError
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    known = place.inventory.board(board)
    if known.simulated:
        raise ConfigError(f"{board}: simulated boards are pinned when they are started")
    offered = fetch_host_key(known)
    typer.echo(f"{board} ({known.host}:{known.port}) shows {offered.kind} {offered.fingerprint}")
    typer.echo("compare it with the board's own: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
    if known.host_keys and offered.line not in known.host_keys:
        typer.echo("the inventory pins another key; correct its host_key to this one:")
        typer.echo(f"  host_key: {offered.line}")
        raise typer.Exit(1)
    if not yes and not typer.confirm("keep it?", default=False):
        typer.echo("not kept")
        raise typer.Exit(1)
    path = place.home / "known_hosts"
    remember(known, offered, path)
    typer.echo(f"kept in {path}")


def _look(fleet_name: str, inventory: InventoryOption) -> Sequence[Looked]:
    from orchestrator.cli.console import progress
    from orchestrator.looking import look_at
    from orchestrator.simulation import simulated
    from orchestrator.wiring import make_connect, make_engine, open_workplace

    place = open_workplace(inventory)
    fleet = place.inventory.fleet(fleet_name)
    with progress() as shown, simulated(place.simulation, fleet.boards, shown) as boards:
        connect, engine = make_connect(place), make_engine(None)
        return look_at(boards, fleet.caps.in_all, connect, engine, shown)


def _cell(one: Looked, key: str) -> str:
    value = one.facts.get(key)
    return "-" if value is None else str(value)
