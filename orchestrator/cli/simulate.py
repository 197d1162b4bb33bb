"""`orch sim up|down|status`."""

from __future__ import annotations

import typer

from orchestrator.cli.options import FleetOption, InventoryOption, JsonOption

app = typer.Typer(
    help="Simulated boards on this machine.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def up(fleet: FleetOption = "sim", inventory: InventoryOption = None) -> None:
    """Start the simulated boards of a fleet and leave them running."""
    from orchestrator.errors import ConfigError
    from orchestrator.simulation import find_simulation, start_simulation, stop_simulation
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    names = [board.name for board in place.inventory.fleet(fleet).boards if board.simulated]
    if not names:
        raise ConfigError(f"fleet {fleet!r} has no simulated boards")
    running = find_simulation(place.simulation)
    if running is not None and set(names) <= set(running.boards):
        typer.echo(f"{len(running.boards)} simulated boards are up already, pid {running.pid}")
        return
    stop_simulation(place.simulation)
    started = start_simulation(place.simulation, names, leashed=False)
    typer.echo(f"{len(started.boards)} simulated boards are up, pid {started.pid}")


@app.command()
def down(inventory: InventoryOption = None) -> None:
    """Stop the simulated boards; what was deployed to them stays."""
    from orchestrator.simulation import stop_simulation
    from orchestrator.wiring import open_workplace

    stopped = stop_simulation(open_workplace(inventory).simulation)
    typer.echo("the simulated boards are down" if stopped else "no simulated boards were up")


@app.command()
def status(inventory: InventoryOption = None, json: JsonOption = False) -> None:
    """Say which simulated boards are up, and where they listen."""
    from orchestrator.cli.console import out, print_json, print_table
    from orchestrator.simulation import find_simulation
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    running = find_simulation(place.simulation)
    boards = sorted(running.boards.values(), key=lambda board: board.name) if running else []
    if json:
        addresses = {board.name: f"{board.host}:{board.port}" for board in boards}
        print_json({"pid": running.pid if running else None, "boards": dict(addresses)})
        return
    if running is None:
        typer.echo("no simulated boards are up")
        return
    rows = [
        (board.name, f"{board.host}:{board.port}", str(place.simulation / "boards" / board.name))
        for board in boards
    ]
    title = f"Simulated boards, pid {running.pid}"
    print_table(title, ("board", "address", "folder"), rows, console=out())
