"""A night's one screen, printed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.backends.sql_ledger import SqlLedger
    from orchestrator.domain import NightReport

_COLOURS = {"PASS": "green", "FAIL": "red", "INCONCLUSIVE": "yellow"}
#: Columns that a narrow terminal does without, the dearest last.
_SPARED = ("nights", "°C", "± ms", "between", "agreement")
_COLUMN_GAP = 3
#: Among so many nights one that ended is looked for.
_LOOKED_AT = 20


def print_night(report: NightReport, folder: Path) -> None:
    """Print verdict, what moved, the table of each recipe and what to do next."""
    from orchestrator.cli.console import out
    from orchestrator.reports.screen import findings, headline

    console = out()
    night = report.night
    colour = _COLOURS.get(night.verdict, "")
    console.print(headline(report), style=f"bold {colour}".strip(), markup=False, soft_wrap=True)
    for line in findings(report) or ["nothing moved"]:
        style = "red" if line.startswith("FAIL") else None
        console.print(f"  {line}", style=style, markup=False, soft_wrap=True)
    for recipe in report.recipes:
        console.print()
        _print_recipe(report, recipe.judged.recipe, console)
    console.print()
    for board, why in night.failed_boards.items():
        console.print(f"failed  {board}: {why}", style="red", markup=False, soft_wrap=True)
    for step in report.next_steps:
        console.print(f"next    {step}", markup=False, soft_wrap=True)
    if (folder / "report.html").is_file():
        console.print(f"Report: {folder / 'report.html'}", markup=False, soft_wrap=True)


def _print_recipe(report: NightReport, name: str, console: Console) -> None:
    from orchestrator.cli.console import print_table
    from orchestrator.reports.screen import HEADER, recipe_screen

    recipe = next(one for one in report.recipes if one.judged.recipe == name)
    shown = recipe_screen(recipe, plain=_is_plain())
    kept = list(range(len(HEADER)))
    for spared in _SPARED:
        if _width(shown.rows, kept, HEADER) > console.width:
            kept.remove(HEADER.index(spared))
    rows = [tuple(row[at] for at in kept) for row in shown.rows]
    print_table(shown.title, [HEADER[at] for at in kept], rows, console=console)
    if shown.rest:
        console.print(shown.rest, markup=False)


def _width(rows: tuple[tuple[str, ...], ...], kept: list[int], header: tuple[str, ...]) -> int:
    return sum(max([len(header[at]), *(len(row[at]) for row in rows)]) + _COLUMN_GAP for at in kept)


def _is_plain() -> bool:
    """Say whether the terminal has no bars."""
    return "utf" not in (sys.stdout.encoding or "").lower() or os.environ.get("TERM") == "dumb"


def print_last(inventory: Path | None, fleet: str | None, *, json: bool) -> None:
    """Print the verdict of the last night that ended, in ten lines at most."""
    from orchestrator.cli.console import out, print_json
    from orchestrator.cli.options import open_ledger
    from orchestrator.hashing import as_json
    from orchestrator.nights.loading import load_night
    from orchestrator.reports.screen import last_lines
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    with open_ledger(place, keep=False) as ledger:
        night_id = last_night(ledger, fleet)
        report = load_night(ledger, night_id, place.home / "reports", whole=False)
    if json:
        lines = list(last_lines(report))
        print_json({"night": as_json(report.night), "lines": as_json(lines)})
        return
    for line in last_lines(report):
        out().print(line, markup=False, soft_wrap=True)


def last_night(ledger: SqlLedger, fleet: str | None) -> str:
    """Name the newest night that ended. Raises ConfigError."""
    from orchestrator.errors import ConfigError

    for night in ledger.nights(fleet, _LOOKED_AT):
        if night.finished_at is not None:
            return night.night_id
    of = f" of fleet {fleet!r}" if fleet else ""
    raise ConfigError(f"the ledger has no night{of} that ended", "orch verify --fleet NAME")
