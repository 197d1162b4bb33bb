"""`orch baseline`: what nights are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import InventoryOption, JsonOption, open_ledger
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from orchestrator.backends.sql_ledger import SqlLedger
    from orchestrator.domain import RunRecord

app = typer.Typer(help="Pin the run that nights are compared with.", no_args_is_help=True)
_NIGHTS = 200


@app.command("set")
def set_baseline(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Run, or night with all its runs.")],
    why: Annotated[str, typer.Option("--why", help="A word for those who come later.")] = "",
    inventory: InventoryOption = None,
) -> None:
    """Pin a run: later nights of its fleet and recipe are compared with it."""
    from orchestrator.cli.console import out
    from orchestrator.clock import now
    from orchestrator.domain import Baseline
    from orchestrator.wiring import open_workplace

    with open_ledger(open_workplace(inventory)) as ledger:
        for run in runs_named(ledger, run_id):
            usable = sum(one.usable for one in ledger.figures(run.run_id))
            if not usable:
                raise ConfigError(
                    f"run {run.run_id} has no board whose latency may be compared",
                    "take one with VALID or NOISY measurements",
                )
            ledger.set_baseline(Baseline(run.fleet, run.recipe, run.run_id, now(), why))
            said = f"{run.recipe} on fleet {run.fleet}: run {run.run_id}, {usable} boards"
            out().print(said, markup=False, soft_wrap=True)


@app.command()
def show(inventory: InventoryOption = None, json: JsonOption = False) -> None:
    """Show what is pinned."""
    from orchestrator.cli.console import out, print_json, print_table
    from orchestrator.hashing import as_json
    from orchestrator.wiring import open_workplace

    with open_ledger(open_workplace(inventory), keep=False) as ledger:
        pinned = ledger.baselines()
    if json:
        print_json(as_json(pinned))
        return
    if not pinned:
        out().print("nothing is pinned: nights are compared with the nights before", markup=False)
        return
    rows = [(one.fleet, one.recipe, one.run_id, one.set_at, one.why) for one in pinned]
    print_table("", ("fleet", "recipe", "run", "since", "why"), rows, console=out())


@app.command()
def clear(
    fleet: Annotated[str, typer.Option("--fleet", "-f", help="Fleet.")],
    recipe: Annotated[str, typer.Option("--recipe", "-r", help="Recipe's name.")],
    inventory: InventoryOption = None,
) -> None:
    """Pin nothing: nights are compared with the nights before again."""
    from orchestrator.cli.console import out
    from orchestrator.wiring import open_workplace

    with open_ledger(open_workplace(inventory)) as ledger:
        gone = ledger.clear_baseline(fleet, recipe)
    if not gone:
        raise ConfigError(
            f"nothing is pinned for {recipe!r} on fleet {fleet!r}", "orch baseline show"
        )
    out().print("nights are compared with the nights before", markup=False)


def runs_named(ledger: SqlLedger, named: str) -> list[RunRecord]:
    """Give a run, the runs of a night, or those of the `last` night. Raises ConfigError."""
    nights = ledger.nights(None, _NIGHTS)
    if named == "last":
        night = next((one for one in nights if one.finished_at is not None), None)
    else:
        night = ledger.night(named)
    ids = [named] if night is None else list(night.runs.values())
    found = [run for run_id in ids if (run := ledger.run(run_id)) is not None]
    if not found:
        newest = ", ".join(one.run_id for one in ledger.runs(3)) or "none yet"
        raise ConfigError(f"the ledger has no run or night {named!r}", f"newest runs: {newest}")
    return found
