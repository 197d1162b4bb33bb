"""How a night is told: its files, its screen."""

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
    from orchestrator.cli.night_screen import print_night
    from orchestrator.nights.loading import load_night

    reports = place.home / "reports"
    folder = reports / ended.night.night_id
    report = load_night(ledger, ended.night.night_id, reports, whole=True)
    print_night(report, folder)
    return ended.night.exit_code or 0
