"""Locks and quarantine on a simulated board: real CLI, real SSH on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ORCH = Path(sys.executable).with_name("orch")
INVENTORY = """\
boards: {sim-01: {simulated: true}}
fleets: {sim: {boards: [sim-01]}}
"""
#: Another orch that takes the board and is gone without giving it back.
TAKE = """
import sys
from pathlib import Path
from orchestrator.cli.console import progress
from orchestrator.cli.options import couriers
from orchestrator.fleet.errands import run_errands
from orchestrator.wiring import open_workplace

place = open_workplace(Path(sys.argv[1]))
fleet = place.inventory.fleet("sim")
lease = {"op": "acquire", "owner": "ann@elsewhere/run-7", "ttl_s": 900.0}
with progress() as shown, couriers(place, fleet, shown) as (courier, boards):
    (one,) = run_errands(boards, fleet.caps, courier, lambda a: a.ask("lease", lease), str)
    sys.exit(one.error or 0)
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with an inventory of one simulated board."""

    folder: Path

    @property
    def work_dir(self) -> Path:
        return self.folder / ".orch" / "sim" / "boards" / "sim-01" / "root" / ".orch"

    def run(self, *argv: str, typed: str = "") -> tuple[int, str]:
        done = subprocess.run(
            argv,
            cwd=self.folder,
            env=os.environ | {"COLUMNS": "200"},
            input=typed,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout + (done.stderr if done.returncode else "")

    def orch(self, *argv: str, typed: str = "") -> tuple[int, str]:
        return self.run(str(ORCH), "fleet", *argv, typed=typed)

    def owner(self) -> str | None:
        """Who holds the board, by `orch fleet locks`."""
        code, out = self.orch("locks", "-f", "sim", "--json")
        assert code == 0, out
        (one,) = json.loads(out)
        return str(one["holder"]["owner"]) if one["holder"] else None


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    return Place(tmp_path)


def test_a_lease_is_seen_and_broken_only_when_one_says_so(place: Place) -> None:
    assert place.owner() is None
    assert not place.work_dir.exists()  # looking leaves nothing behind
    assert place.orch("unlock", "sim-01") == (0, "sim-01: nobody holds it\n")
    code, said = place.run(sys.executable, "-c", TAKE, str(place.folder / "inventory.yaml"))
    assert code == 0, said

    assert place.owner() == "ann@elsewhere/run-7"

    code, said = place.orch("unlock", "sim-01", typed="n\n")
    assert (code, "ann@elsewhere/run-7" in said, "left as it is" in said) == (1, True, True)
    assert place.owner() == "ann@elsewhere/run-7"

    code, said = place.orch("unlock", "sim-01", "--yes", "--json")
    assert code == 0, said
    freed = json.loads(said)
    assert (freed["board"], freed["freed"]) == ("sim-01", True)
    assert freed["holder"]["owner"] == "ann@elsewhere/run-7"
    assert place.owner() is None


def test_a_good_look_brings_a_board_back(place: Place) -> None:
    note = (
        "import sys; from orchestrator.backends.sql_ledger import SqlLedger;"
        "from orchestrator.domain import Health;"
        "SqlLedger(sys.argv[1]).record_health(Health('sim-01', 5, 't', 'TIMEOUT', 'x',"
        " '2025-01-01T00:00:00+00:00', '2999-01-01T00:00:00+00:00', 't'))"
    )
    code, said = place.run(
        sys.executable, "-c", note, f"sqlite:///{place.folder / '.orch' / 'orch.db'}"
    )
    assert code == 0, said
    assert "quarantined (5 in a row)" in place.orch("status", "-f", "sim")[1]

    code, said = place.orch("status", "-f", "sim", "--probe", "--json")

    assert code == 0, said
    (found,) = json.loads(said)
    assert (found["state"], found["failures"], found["next_probe_at"]) == ("ok", 0, None)
    assert found["uid"].startswith("0x")
