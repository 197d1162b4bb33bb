"""`orch ledger`: is it as it was written, take it out, and drop old samples."""

from __future__ import annotations

import json as json_text
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import DryRunOption, InventoryOption, JsonOption, open_ledger
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from orchestrator.backends.sql_ledger import SqlLedger
    from orchestrator.domain import Json

app = typer.Typer(help="Check, export and prune what orch has written down.", no_args_is_help=True)
_ALL_RUNS = 1_000_000
_AGE = re.compile(r"(\d+)\s*([dwy])")
_DAYS = {"d": 1, "w": 7, "y": 365}


@app.command()
def check(inventory: InventoryOption = None, json: JsonOption = False) -> None:
    """Compute the hash chain anew, and name every row that was changed."""
    from orchestrator.cli.console import out, print_json
    from orchestrator.hashing import as_json
    from orchestrator.wiring import open_workplace

    with open_ledger(open_workplace(inventory), keep=False) as ledger:
        found, head = ledger.check(), ledger.head()
    if json:
        print_json({"faults": list(found), "head": as_json(head)})
    else:
        for fault in found:
            out().print(f"fault   {fault}", markup=False, soft_wrap=True)
        links = 0 if head is None else head.number
        said = f"{len(found)} faults" if found else "whole"
        out().print(f"{links} links: {said}", markup=False)
    raise typer.Exit(1 if found else 0)


@app.command()
def export(
    to: Annotated[Path | None, typer.Option("--to", help="File; default: stdout.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="AGE", help="Runs since: 30d, 2026-01-31.")
    ] = None,
    inventory: InventoryOption = None,
) -> None:
    """Write runs, outcomes with all samples, figures, nights and the chain as JSON lines."""
    from orchestrator.wiring import open_workplace

    with open_ledger(open_workplace(inventory), keep=False) as ledger:
        rows = _rows(ledger, since_of(since))
        if to is None:
            for row in rows:
                sys.stdout.write(json_text.dumps(row, ensure_ascii=False) + "\n")
            return
        half = to.with_name(f".{to.name}.half")
        with half.open("w", encoding="utf-8") as stream:
            for row in rows:
                stream.write(json_text.dumps(row, ensure_ascii=False) + "\n")
        half.replace(to)


def _rows(ledger: SqlLedger, since: str | None) -> Iterator[dict[str, Json]]:
    """Give every row as what JSON can hold, run by run."""
    from orchestrator.hashing import as_json

    for run in ledger.runs(_ALL_RUNS):
        if since is not None and run.started_at < since:
            continue
        yield {"kind": "run", "row": as_json(run)}
        for outcome in ledger.outcomes(run.run_id):
            yield {"kind": "outcome", "run_id": run.run_id, "row": as_json(outcome)}
        for figures in ledger.figures(run.run_id):
            yield {"kind": "figures", "row": as_json(figures)}
    for night in ledger.nights(None, _ALL_RUNS):
        if since is None or night.started_at >= since:
            judged = as_json(ledger.judged(night.night_id))
            yield {"kind": "night", "row": as_json(night), "judged": judged}
    for link in ledger.links():
        yield {"kind": "link", "row": as_json(link)}


@app.command()
def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Runs before: 180d, 1y, 2026-01-31.")
    ],
    inventory: InventoryOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Drop the raw samples of old runs; figures, verdicts and the chain stay."""
    from orchestrator.cli.console import out, print_json
    from orchestrator.wiring import open_workplace

    before = since_of(older_than)
    if before is None:
        raise ConfigError("--older-than wants an age", "180d, or a date")
    with open_ledger(open_workplace(inventory)) as ledger:
        done = ledger.prune(before, _kept(ledger), dry_run=dry_run)
    if json:
        print_json({"rows": done.rows, "size_bytes": done.size_bytes, "dry_run": dry_run})
        return
    would = "would drop" if dry_run else "dropped"
    out().print(
        f"{would} the samples of {done.rows:,} boards' runs, {done.size_bytes:,} bytes",
        markup=False,
    )


def _kept(ledger: SqlLedger) -> set[str]:
    """Name the runs whose samples stay: of the newest night, and pinned baselines."""
    kept: set[str] = set()
    for night in ledger.nights(None, _ALL_RUNS):
        newest = ledger.nights(night.fleet, 1)[0]
        kept |= set(newest.runs.values())
        pinned = (ledger.baseline(night.fleet, recipe) for recipe in night.runs)
        kept |= {one.run_id for one in pinned if one is not None}
    return kept


def since_of(text: str | None) -> str | None:
    """Read `30d`, `2w`, `1y` or a date as ISO 8601. Raises ConfigError."""
    if text is None:
        return None
    if found := _AGE.fullmatch(text.strip()):
        ago = timedelta(days=int(found[1]) * _DAYS[found[2]])
        return (datetime.now(UTC) - ago).isoformat(timespec="seconds")
    try:
        day = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{text!r} is no age and no date", "30d, 2w, 1y or 2026-01-31") from None
    aware = day if day.tzinfo else day.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="seconds")
