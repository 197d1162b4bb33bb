"""`orch report`: any run, from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import InventoryOption, JsonOption, open_ledger

if TYPE_CHECKING:
    from orchestrator.domain import BoardOutcome, RunRecord

#: How many runs `--list` shows.
_LISTED = 50


def report(
    run_id: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Run id; default: the newest with boards.")
    ] = None,
    inventory: InventoryOption = None,
    listing: Annotated[bool, typer.Option("--list", help="List the newest runs.")] = False,
    json: JsonOption = False,
) -> None:
    """Show the table of a run again."""
    from orchestrator.errors import ConfigError
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    with open_ledger(place, keep=False) as ledger:
        runs = ledger.runs(_LISTED)
        if listing:
            _print_runs(runs, json=json)
            return
        if run_id is None:
            asked = next((one for one in runs if one.command in {"deploy", "run"}), None)
        else:
            asked = ledger.run(run_id)
        if asked is None:
            known = ", ".join(one.run_id for one in runs[:3]) or "none yet: orch deploy"
            what = f"run {run_id!r}" if run_id else "run"
            raise ConfigError(f"the ledger has no {what}", f"newest runs: {known}")
        outcomes = ledger.outcomes(asked.run_id)
    print_report(asked, outcomes, place.home / "reports" / asked.run_id, json=json)


def print_report(
    run: RunRecord, outcomes: Sequence[BoardOutcome], folder: Path, *, json: bool
) -> None:
    """Print the table of a run, what failed of it and one sentence."""
    from orchestrator.cli.console import out, print_json, print_table
    from orchestrator.stages.report import report_json
    from orchestrator.table import ACCURACY_COLUMNS, accuracy_rows, shown, table_row

    if json:
        print_json(report_json(run, outcomes))
        return
    console = out()
    title = f"{run.recipe} on fleet {run.fleet}, run {run.run_id}"
    columns, rows = shown([table_row(run, one) for one in outcomes])
    print_table(title, [name for name, _ in columns], rows, console=console)
    if accuracy := accuracy_rows(run, outcomes):
        names = [name for name, _ in ACCURACY_COLUMNS]
        console.print()
        print_table("Accuracy against the float model", names, accuracy, console=console)
        console.print()
    for outcome in outcomes:
        if outcome.error:
            console.print(f"failed  {outcome.error}", markup=False, soft_wrap=True)
            if outcome.hint:
                console.print(f"        hint: {outcome.hint}", markup=False, soft_wrap=True)
    gates = run.summary.get("failed_gates")
    for gate in gates if isinstance(gates, list) else []:
        console.print(f"gate    {gate}", markup=False, soft_wrap=True)
    if sentence := run.summary.get("sentence"):
        console.print(f"{sentence}.", markup=False, soft_wrap=True)
    if folder.is_dir():
        console.print(f"Report: {folder}", markup=False, soft_wrap=True)


def _print_runs(runs: Sequence[RunRecord], *, json: bool) -> None:
    from orchestrator.cli.console import out, print_json, print_table
    from orchestrator.hashing import as_json

    if json:
        print_json(as_json(runs))
        return
    rows = [
        (
            one.run_id,
            one.command,
            one.fleet,
            one.recipe,
            "unfinished" if one.exit_code is None else str(one.exit_code),
            str(one.summary.get("sentence") or "-"),
        )
        for one in runs
    ]
    header = ("run", "command", "fleet", "recipe", "exit", "summary")
    print_table("", header, rows, console=out())
