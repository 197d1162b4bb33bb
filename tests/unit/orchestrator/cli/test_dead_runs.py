from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.cli.runs import dead_runs, ended
from orchestrator.domain import RunRecord
from orchestrator.locks import hold


def begun(name: str) -> RunRecord:
    return RunRecord(name, "deploy", "f", "r", f"2026-11-24T00:00:0{name[-1]}", None, None, {})


def test_a_run_is_dead_when_it_never_ended_and_no_process_is_at_it(tmp_path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'orch.db'}")
    for name in ("ended-1", "killed-2", "at-work-3", "elsewhere-4"):
        ledger.start_run(begun(name))
        if name != "elsewhere-4":
            (tmp_path / f"{name}.lock").touch()
    ledger.finish_run(ended(begun("ended-1"), 0))

    with hold(tmp_path / "at-work-3.lock", pytest.fail), dead_runs(ledger, tmp_path) as dead:
        assert dead == ("killed-2",)
        with dead_runs(ledger, tmp_path) as of_another:
            assert of_another == ()
    ledger.close()
