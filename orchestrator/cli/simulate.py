"""`orch sim up|down|status`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import FleetOption, InventoryOption, JsonOption

app = typer.Typer(
    help="Simulated boards on this machine.", no_args_is_help=True, rich_markup_mode=None
)


TraceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--trace",
        metavar="[BOARD=]KIND",
        help="Let a board, or all, go through a scripted day: clean, thermal, tenant, …",
    ),
]
SeedOption = Annotated[
    int, typer.Option(help="Seed of the first board's trace; every board has one more.")
]
BaseOption = Annotated[
    float, typer.Option(help="Scripted latency of a good board, in milliseconds.")
]
TimesOption = Annotated[
    int, typer.Option(min=0, help="How many runs of a board go through its trace; 0: all.")
]


@app.command()
def up(
    fleet: FleetOption = "sim",
    inventory: InventoryOption = None,
    trace: TraceOption = None,
    seed: SeedOption = 0,
    base_ms: BaseOption = 20.0,
    times: TimesOption = 0,
) -> None:
    """Start the simulated boards of a fleet and leave them running.

    With `--trace` their time is simulated too, and every latency is marked as scripted.
    """
    from orchestrator.errors import ConfigError
    from orchestrator.simulation import (
        Scripting,
        find_simulation,
        start_simulation,
        stop_simulation,
    )
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    names = [board.name for board in place.inventory.fleet(fleet).boards if board.simulated]
    if not names:
        raise ConfigError(f"fleet {fleet!r} has no simulated boards")
    scripting = Scripting(tuple(trace or ()), seed, base_ms, times)
    running = find_simulation(place.simulation)
    scripted = bool(scripting.traces or (running and running.traces))
    if running is not None and set(names) <= set(running.boards) and not scripted:
        typer.echo(f"{len(running.boards)} simulated boards are up already, pid {running.pid}")
        return
    stop_simulation(place.simulation)
    started = start_simulation(place.simulation, names, leashed=False, scripting=scripting)
    typer.echo(f"{len(started.boards)} simulated boards are up, pid {started.pid}")
    for name, told in started.traces.items():
        typer.echo(f"{name}: scripted, {told}")


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
        traces = dict(running.traces) if running else {}
        pid = running.pid if running else None
        print_json({"pid": pid, "boards": dict(addresses), "traces": dict(traces)})
        return
    if running is None:
        typer.echo("no simulated boards are up")
        return
    rows = [
        (
            board.name,
            f"{board.host}:{board.port}",
            running.traces.get(board.name, "-"),
            str(place.simulation / "boards" / board.name),
        )
        for board in boards
    ]
    title = f"Simulated boards, pid {running.pid}"
    print_table(title, ("board", "address", "trace", "folder"), rows, console=out())
