"""How a night is told: its files, its screen, and messages to those who want to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.backends.sql_ledger import SqlLedger
    from orchestrator.nights.order import NightEnded
    from orchestrator.seams import Progress
    from orchestrator.wiring import Workplace


def report_night(
    place: Workplace, ledger: SqlLedger, ended: NightEnded, shown: Progress, *, json: bool
) -> int:
    """Write a night's files, print it, tell those who want to know; give the exit code."""
    from orchestrator.cli.console import print_json
    from orchestrator.cli.night_screen import print_night
    from orchestrator.nights.loading import load_night
    from orchestrator.reports.json_report import night_json
    from orchestrator.reports.writing import write_night

    reports, night = place.home / "reports", ended.night
    folder = reports / night.night_id
    head = ledger.head()
    report = load_night(ledger, night.night_id, reports, whole=True)
    files = write_night(report, folder, head)
    ledger.record_reports([(f"{night.night_id}/{name}", sha256) for name, sha256 in files])
    if json:
        print_json(night_json(report, head))
    else:
        print_night(report, folder)
    shown.event("report", str(folder))
    return night.exit_code or 0
