"""A run's outcomes → files that people and programs read."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from orchestrator.accuracy_table import accuracy_tables
from orchestrator.conditions import (
    CONDITION_COLUMNS,
    condition_rows,
    findings,
    told_of_simulated,
)
from orchestrator.domain import BoardOutcome, Json, RunRecord
from orchestrator.hashing import as_json
from orchestrator.instruments_table import instrument_tables
from orchestrator.latency import latency_of, parts_of
from orchestrator.table import COLUMNS, EMPTY, shown, table_row

#: Raised by one with every change of the JSON report.
REPORT_VERSION = 2


def write_report(
    run: RunRecord, outcomes: Sequence[BoardOutcome], folder: Path
) -> tuple[Path, ...]:
    """Write report.json, report.csv and report.md; give their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = (folder / "report.json", folder / "report.csv", folder / "report.md")
    text = json.dumps(report_json(run, outcomes), indent=2, ensure_ascii=False)
    paths[0].write_text(text + "\n", encoding="utf-8")
    rows = [table_row(run, outcome) for outcome in outcomes]
    with paths[1].open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([*(name for name, _ in COLUMNS), "error"])
        for row, outcome in zip(rows, outcomes, strict=True):
            writer.writerow([*("" if cell == EMPTY else cell for cell in row), outcome.error])
    paths[2].write_text(_markdown(run, rows, outcomes), encoding="utf-8")
    return paths


def report_json(run: RunRecord, outcomes: Sequence[BoardOutcome]) -> dict[str, Json]:
    """Give the report as plain values; samples in ns, figures in ms."""
    boards: list[Json] = []
    for outcome in outcomes:
        latency = as_json(latency_of(outcome.measurement))
        parts = as_json(parts_of(outcome.measurement))
        boards.append({"latency": latency, "parts_ms": parts, "outcome": as_json(outcome)})
    return {"version": REPORT_VERSION, "run": as_json(run), "boards": boards}


def _markdown(
    run: RunRecord, rows: Sequence[tuple[str, ...]], outcomes: Sequence[BoardOutcome]
) -> str:
    lines = [
        f"# {run.recipe} on fleet {run.fleet}",
        "",
        f"Run `{run.run_id}`, started {run.started_at}.",
    ]
    if told_times := told_of_simulated(outcomes):
        lines += ["", f"**Simulated boards**: {told_times}."]
    lines += [
        "",
        *_markdown_table(*shown(rows)),
    ]
    if conditions := condition_rows(outcomes):
        lines += ["", "## Conditions", "", *_markdown_table(CONDITION_COLUMNS, conditions)]
    if told := findings(outcomes):
        lines += ["", "## Verdicts", "", *(f"- {_plain(f'{name}: {text}')}" for name, text in told)]
    for beside in instrument_tables(outcomes):
        lines += ["", f"## {beside.title}", "", *_markdown_table(beside.columns, beside.rows)]
    for table in accuracy_tables(run, outcomes):
        lines += ["", f"## {table.title}", ""]
        lines += _markdown_table(table.columns, table.rows)
    pictures = [path for outcome in outcomes for path in outcome.overlays]
    if pictures:
        shown_first = "- `contact-sheet.png`: the worst images, all boards side by side"
        lines += ["", "## Pictures", "", shown_first, *(f"- `{_plain(one)}`" for one in pictures)]
    failures = [f"- {_plain(outcome.error)}" for outcome in outcomes if outcome.error]
    if failures:
        lines += ["", "## Failures", "", *failures]
    return "\n".join(lines) + "\n"


def _markdown_table(
    columns: Sequence[tuple[str, bool]], rows: Sequence[tuple[str, ...]]
) -> list[str]:
    return [
        "| " + " | ".join(name for name, _ in columns) + " |",
        "| " + " | ".join("---:" if number else "---" for _, number in columns) + " |",
        *("| " + " | ".join(map(_plain, row)) + " |" for row in rows),
    ]


def _plain(text: str) -> str:
    """Give what a board said as Markdown with no cell, line or tag of its own."""
    return escape(" ".join(text.split()), quote=False).replace("|", "\\|")
