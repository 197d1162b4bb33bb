"""`orch report` of a night: in any format, redacted, or computed anew."""

from __future__ import annotations

import json as json_text
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from orchestrator.cli.options import open_ledger
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from orchestrator.domain import Json, Link, NightReport
    from orchestrator.wiring import Workplace

NightFormat = Literal["table", "json", "html", "junit", "csv", "samples", "markdown", "openmetrics"]
_DATA = ('<script type="application/json" id="report-data">', "</script>")
#: Differences that are shown; `--json` has all.
_SHOWN = 20


def show_night(
    place: Workplace,
    named: str | None,
    form: NightFormat | None,
    output: Path | None,
    *,
    redacted: bool,
) -> bool:
    """Show a night, where one is named; False: it is a run that is asked for."""
    from orchestrator.cli.night_screen import last_night, print_night
    from orchestrator.nights.loading import load_night
    from orchestrator.reports.redact import redact

    asked = form is not None or output is not None or redacted
    with open_ledger(place, keep=False) as ledger:
        night_id = last_night(ledger, None) if named == "last" else named
        if night_id is None or ledger.night(night_id) is None:
            if asked and form != "json":
                raise ConfigError("--format, --output and --redact are for nights", "name a night")
            return False
        reports, head = place.home / "reports", ledger.head()
        whole = form not in (None, "table")
        report = load_night(ledger, night_id, reports, whole=whole)
    report = redact(report) if redacted else report
    if form in (None, "table"):
        print_night(report, reports / night_id)
        return True
    _write(report, form or "json", output, None if redacted else head)
    return True


def _write(report: NightReport, form: str, output: Path | None, head: Link | None) -> None:
    from orchestrator.reports.csv_files import measurements_csv, samples_csv
    from orchestrator.reports.html import write_html
    from orchestrator.reports.junit import junit
    from orchestrator.reports.markdown import markdown
    from orchestrator.reports.openmetrics import openmetrics
    from orchestrator.reports.writing import json_text as json_report

    if form == "html":
        if output is None:
            raise ConfigError("--format html wants a file", "--output report.html")
        write_html(report, output, head)
        return
    makers = {
        "junit": junit,
        "csv": measurements_csv,
        "samples": samples_csv,
        "markdown": markdown,
        "openmetrics": openmetrics,
    }
    text = json_report(report, head) if form == "json" else makers[form](report)
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")


def verify_report(place: Workplace, path: Path, *, json: bool) -> None:
    """Say whether a report is as it was written, and which of its figures the samples deny."""
    from orchestrator.cli.console import out, print_json
    from orchestrator.hashing import as_json
    from orchestrator.nights.recompute import recompute

    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", "report.json of a night") from error
    report = _report_in(path, content.decode("utf-8", "replace"))
    with open_ledger(place, keep=False) as ledger:
        found = recompute(report, ledger)
        night = report.get("night")
        night_id = night.get("night_id") if isinstance(night, dict) else ""
        written = ledger.report_sha256(f"{night_id}/{path.name}")
        faults = ledger.check()
        cut_off = _is_cut_off(report, ledger.head())
    as_written = sha256(content).hexdigest() in written
    whole = as_written and not found.differences and not faults and not cut_off
    if json:
        print_json({"whole": whole, "as_written": as_written, "chain_cut_off": cut_off,
                    "ledger_faults": list(faults), **_plain(as_json(found))})  # fmt: skip
        raise typer.Exit(0 if whole else 1)
    say = out().print
    for one in found.differences[:_SHOWN]:
        text = f"differs {one.path}: {one.reported} is reported, the samples give {one.computed}"
        say(text, markup=False, soft_wrap=True)
    if (more := len(found.differences) - _SHOWN) > 0:
        say(f"        and {more} more", markup=False)
    for fault in faults:
        say(f"fault   {fault}", markup=False, soft_wrap=True)
    for row in found.pruned:
        say(f"pruned  {row}: its samples are gone, its figures were not computed", markup=False)
    if cut_off:
        say("fault   the ledger's chain ends before this report was written", markup=False)
    file = "as it was written" if as_written else "NOT the file that was written"
    say(
        f"{found.figures:,} values compared, {len(found.differences)} differ; the file is {file}",
        markup=False,
        soft_wrap=True,
    )
    raise typer.Exit(0 if whole else 1)


def _report_in(path: Path, text: str) -> dict[str, Json]:
    """Give the report of a JSON or HTML file. Raises ConfigError."""
    if path.suffix == ".html" and _DATA[0] in text:
        text = text.split(_DATA[0], 1)[1].split(_DATA[1], 1)[0]
    try:
        found = json_text.loads(text)
    except ValueError as error:
        raise ConfigError(
            f"{path}: it holds no report: {error}", "report.json of a night"
        ) from None
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: it holds no report", "report.json of a night")
    return found


def _is_cut_off(report: dict[str, Json], head: Link | None) -> bool:
    """Say whether the chain lacks the link that was its newest when the report was written."""
    known = report.get("chain")
    if not isinstance(known, dict):
        return False
    number = known.get("number")
    return isinstance(number, int) and (head is None or head.number < number)


def _plain(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}
