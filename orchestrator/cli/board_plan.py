"""What a deploy would do on the boards: asked of them, and shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.cli.console import out, print_table, progress
from orchestrator.cli.options import Job, open_ledger
from orchestrator.cli.runs import new_run

if TYPE_CHECKING:
    from orchestrator.actions import Sources
    from orchestrator.fleet.planning import BoardPlan

Planned = Sequence[tuple[str, "BoardPlan"]]


def plan_boards(job: Job, sources: Sources, *, ignore_learned: bool = False) -> Planned:
    """Ask the boards what would have to be done; none where something is left to be built."""
    from orchestrator.building import find_built
    from orchestrator.cache import Cache
    from orchestrator.cli.secrets import ask_for_secrets
    from orchestrator.fleet.comparing import on_host
    from orchestrator.fleet.errands import Courier
    from orchestrator.fleet.planning import plan_fleet
    from orchestrator.pipeline import Order, prepare
    from orchestrator.simulation import simulated
    from orchestrator.wiring import make_crew

    place, fleet = job.place, job.fleet
    secret_of = ask_for_secrets(fleet.boards)
    run = new_run("deploy", fleet.name, job.recipe.name)
    with open_ledger(place, keep=False) as ledger, progress() as shown:
        built = find_built(job.recipe, sources, Cache(ledger, place.blobs(), place.home / "work"))
        if built is None:
            return ()
        crew = make_crew(place, ledger, None, shown, secret_of)
        with simulated(place.simulation, fleet.boards, shown) as boards:
            order = Order(
                job.recipe, built, replace(fleet, boards=boards), ignore_learned=ignore_learned
            )
            here = on_host(job.recipe, built, crew.encoder.blobs)
            visit = prepare(order, crew, run, here)
            courier = Courier(crew.connect, crew.engine, shown, guest=True)
            return plan_fleet(order.fleet, visit, crew.encoder, crew.notes, courier)


def print_planned(planned: Planned) -> None:
    """Print what would be done on each board, what would be sent, and what speaks against it."""
    console = out()
    rows = [
        (
            name,
            str(one.wave or "-"),
            one.action,
            one.current or "-",
            one.switch_to or "-",
            f"{one.send_bytes:,}",
        )
        for name, one in planned
    ]
    header = ("board", "wave", "what", "has now", "switch to", "bytes to send")
    print_table("Boards", header, rows, console=console)
    for name, one in planned:
        for line in (*one.sends, *([one.why] if one.why else [])):
            console.print(f"  {name}  {line}", markup=False, soft_wrap=True)
