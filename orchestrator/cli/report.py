"""`orch report`: any run, from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.night_report import NightFormat, show_night, verify_report
from orchestrator.cli.options import InventoryOption, JsonOption, open_ledger

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.domain import BoardOutcome, RunRecord

#: So many classes are shown; report.md has all.
_MOST_ROWS = 20
#: How many runs `--list` shows.
_LISTED = 50


def report(
    run_id: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="Run or night; default: the newest run with boards."),
    ] = None,
    inventory: InventoryOption = None,
    listing: Annotated[bool, typer.Option("--list", help="List the newest runs.")] = False,
    last: Annotated[bool, typer.Option("--last", help="The newest night that ended.")] = False,
    form: Annotated[
        NightFormat | None, typer.Option("--format", help="A night in this format.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it to this file.")
    ] = None,
    redact: Annotated[
        bool, typer.Option("--redact", help="A night without hosts, users and uids.")
    ] = False,
    verify: Annotated[
        Path | None,
        typer.Option("--verify", metavar="FILE", help="Compute a report's figures anew."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show a run or a night again, or check a report against the raw samples."""
    from orchestrator.errors import ConfigError
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    if verify is not None:
        verify_report(place, verify, json=json)
        return
    wanted = "json" if json and form is None else form
    if show_night(place, "last" if last else run_id, wanted, output, redacted=redact):
        return
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
    from orchestrator.accuracy_table import accuracy_table
    from orchestrator.cli.console import out, print_json, print_table
    from orchestrator.conditions import CONDITION_COLUMNS, condition_rows
    from orchestrator.instruments_table import instrument_tables
    from orchestrator.stages.report import report_json
    from orchestrator.table import shown, table_row

    if json:
        print_json(report_json(run, outcomes))
        return
    console = out()
    if run.command == "verify-accuracy":
        print_accuracy(run, outcomes, folder, console)
        return
    title = f"{run.recipe} on fleet {run.fleet}, run {run.run_id}"
    columns, rows = shown([table_row(run, one) for one in outcomes])
    print_table(title, [name for name, _ in columns], rows, console=console)
    if conditions := condition_rows(outcomes):
        console.print()
        names = [name for name, _ in CONDITION_COLUMNS]
        print_table("Conditions, before → after", names, conditions, console=console)
    for table in instrument_tables(outcomes):
        console.print()
        print_table(table.title, [name for name, _ in table.columns], table.rows, console=console)
    if accuracy := accuracy_table(run, outcomes):
        console.print()
        print_table(accuracy.title, accuracy.header, accuracy.rows, console=console)
        console.print()
    print_ending(run, outcomes, folder, console)


def print_accuracy(
    run: RunRecord, outcomes: Sequence[BoardOutcome], folder: Path, console: Console
) -> None:
    """Print all that is known of the accuracy in a run, and how it ended."""
    from orchestrator.accuracy_table import accuracy_tables
    from orchestrator.cli.console import print_table

    title = f"{run.recipe} on fleet {run.fleet}, run {run.run_id}"
    console.print(title, style="bold", markup=False)
    for table in accuracy_tables(run, outcomes):
        console.print()
        print_table(table.title, table.header, table.rows[:_MOST_ROWS], console=console)
        if (more := len(table.rows) - _MOST_ROWS) > 0:
            console.print(f"{more} more in report.md", markup=False)
    console.print()
    print_ending(run, outcomes, folder, console)


def print_ending(
    run: RunRecord, outcomes: Sequence[BoardOutcome], folder: Path, console: Console
) -> None:
    """Print what failed of a run, the sentence on it, and where its report is."""
    from orchestrator.conditions import findings

    for board, text in findings(outcomes):
        console.print(f"verdict {board}: {text}", markup=False, soft_wrap=True)
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
