"""Thirty faults, drawn over a fleet: whatever was cut in whatever moment, no board is ever torn."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from containers.faults import link
from containers.faults.yard import Yard

if TYPE_CHECKING:
    from tests.conftest import Proof

pytestmark = [pytest.mark.docker, pytest.mark.slow]

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "chaos.py"


@pytest.mark.timeout(1200)  # four to five minutes, where nothing else runs
def test_thirty_faults_leave_nothing_torn_and_every_board_converges(
    built_yard: Yard, proof: Proof
) -> None:
    if reason := link.missing():
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    argv = [sys.executable, str(SCRIPT), "--seed", "7", "--faults", "30"]
    argv += ["--built", str(built_yard.folder)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=1180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (figures,) = (line for line in done.stdout.splitlines() if "torn =" in line)
    proof(figures)
    assert "torn = 0, not converged = 0" in figures
