"""`orch fleet status|readmit` as they are typed; no board is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.cli.main import app
from orchestrator.domain import BoardOutcome, Health, RunRecord, Sighting

INVENTORY = """\
boards: {b1: {host: 192.0.2.1, tags: [old]}, b2: {host: 192.0.2.2}, b3: {host: 192.0.2.3}}
fleets: {lab: {boards: [b1, b2, b3], quarantine_after: 2}}
"""
OUT = Health(
    "b1",
    3,
    "2025-01-01T00:00:00+00:00",
    "UNREACHABLE",
    "b1: no route to 192.0.2.1",
    "2025-01-03T00:00:00+00:00",
    "2025-01-03T01:00:00+00:00",
    "2025-01-03T00:00:00+00:00",
)


@dataclass(frozen=True)
class Desk:
    """A folder with an inventory, and a ledger that knows of two of its three boards."""

    folder: Path

    def orch(self, *argv: str) -> str:
        inventory = str(self.folder / "inventory.yaml")
        done = CliRunner().invoke(app, ["fleet", *argv, "-i", inventory], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return str(done.stdout)

    def ledger(self) -> SqlLedger:
        return SqlLedger(f"sqlite:///{self.folder / '.orch' / 'orch.db'}")

    def status(self, *argv: str) -> dict[str, Mapping[str, object]]:
        found = json.loads(self.orch("status", "-f", "lab", "--json", *argv))
        assert isinstance(found, list)
        return {one["board"]: one for one in found}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    made = Desk(tmp_path)
    ledger = made.ledger()
    ledger.record_health(OUT)
    ledger.record_sighting(Sighting("b2", "0x2", "rel-2", "rel-1", "2025-01-03T00:00:00+00:00"))
    ledger.start_run(
        RunRecord("r1", "deploy", "lab", "small", "2025-01-03T00:00:00+00:00", None, None, {})
    )
    ledger.record_outcome("r1", BoardOutcome("b1", False, {}, error_code="UNREACHABLE"))
    ledger.close()
    return made


def test_the_status_says_since_when_and_why_a_board_is_out(desk: Desk) -> None:
    found = desk.status()

    assert {name: one["state"] for name, one in found.items()} == {
        "b1": "quarantined",
        "b2": "ok",
        "b3": "new",
    }
    assert found["b1"]["since"] == OUT.quarantined_since
    assert found["b1"]["why"] == "UNREACHABLE: b1: no route to 192.0.2.1"
    assert found["b1"]["next_probe_at"] == OUT.next_probe_at
    assert found["b1"]["last_run"] == {
        "board": "b1",
        "run_id": "r1",
        "started_at": "2025-01-03T00:00:00+00:00",
        "error_code": "UNREACHABLE",
    }
    assert (found["b2"]["current"], found["b2"]["previous"]) == ("rel-2", "rel-1")


def test_the_table_names_every_board_and_sums_up(desk: Desk) -> None:
    said = desk.orch("status", "-f", "lab")

    assert "quarantined (3 in a row)" in said
    assert "r1 (UNREACHABLE)" in said
    assert "1 of 3 boards are well, 1 in quarantine, 1 new" in said


def test_what_is_the_matter_with_one_board_is_said_of_that_board_alone(desk: Desk) -> None:
    said = desk.orch("status", "-f", "lab").splitlines()

    assert [line for line in said if "no route" in line] == [
        (
            "b1 quarantined since 2025-01-03T00:00:00+00:00: "
            "UNREACHABLE: b1: no route to 192.0.2.1; "
            "tried again after 2025-01-03T01:00:00+00:00"
        )
    ]
    assert not any(line.startswith("all rows") for line in said)


def test_the_status_is_of_the_boards_that_were_asked_for(desk: Desk) -> None:
    assert set(desk.status("--limit", "old")) == {"b1"}
    assert set(desk.status("--exclude", "old")) == {"b2", "b3"}


def test_looking_at_the_status_makes_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)

    assert {one["state"] for one in Desk(tmp_path).status().values()} == {"new"}

    assert not (tmp_path / ".orch" / "orch.db").exists()


def test_a_board_that_is_readmitted_is_in_its_fleet_again(desk: Desk) -> None:
    assert "in quarantine since 2025-01-03T00:00:00+00:00, after 3 failures" in desk.orch(
        "readmit", "b1"
    )

    assert desk.status()["b1"]["state"] == "ok"
    assert "with no failures" in desk.orch("readmit", "b1")


def test_a_readmission_says_in_json_what_it_ended(desk: Desk) -> None:
    ended = {"board": "b1", "quarantined_since": OUT.quarantined_since, "failures": 3}
    assert json.loads(desk.orch("readmit", "b1", "--json")) == ended

    again = {"board": "b1", "quarantined_since": None, "failures": 0}
    assert json.loads(desk.orch("readmit", "b1", "--json")) == again
