"""What a run that goes on takes from before, and what it does anew; no board is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.cli.main import app
from orchestrator.cli.runs import continued
from orchestrator.domain import BoardOutcome, RunRecord
from orchestrator.errors import ConfigError


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (("--fleet", "lab"), "--fleet"),
        (("--limit", "b1", "--no-measure"), "--limit, --no-measure"),
        (("--iterations", "5"), "--iterations"),
        (("--dry-run",), "--dry-run"),
    ],
)
def test_what_was_asked_for_cannot_be_changed_on_the_way(argv: tuple[str, ...], named: str) -> None:
    with pytest.raises(ConfigError, match=f"{named} cannot be changed"):
        CliRunner().invoke(app, ["deploy", "--resume", "r1", *argv], catch_exceptions=False)


def test_boards_that_may_be_well_again_are_visited_and_those_that_are_done_are_not(
    tmp_path: Path,
) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'orch.db'}")
    run = RunRecord("r1", "deploy", "lab", "small", "2026-11-24T00:00:00", None, None, {})
    ledger.start_run(run)
    ended = {
        "b1": "",
        "b2": "DISK_FULL",
        "b3": "UNREACHABLE",
        "b4": "MODEL_REJECTED",
        "b5": "LOGIN",
    }
    for board, code in ended.items():
        ledger.record_outcome("r1", BoardOutcome(board, False, {}, error_code=code))

    assert [one.board for one in continued(ledger, run, "release-1")] == ["b1", "b4"]
    ledger.close()
