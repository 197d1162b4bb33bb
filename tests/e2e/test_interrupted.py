"""Ctrl-C, and boards that never answer: what is left on the boards and on the terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.simulation import SimulatedFleet

ORCH = Path(sys.executable).with_name("orch")
Fleets = Callable[..., AbstractContextManager[SimulatedFleet]]
pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder with an inventory of two boards, of which `silent` never answers."""

    folder: Path
    boards: Path

    def start(self, *argv: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(ORCH), *argv],
            cwd=self.folder,
            env=os.environ | {"HF_HUB_OFFLINE": "1", "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def orch(self, *argv: str) -> tuple[int, str, str]:
        process = self.start(*argv)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def at_work(self) -> list[Path]:
        """The registered workers of the board that answers."""
        return list(self.boards.glob("answers/root/.orch/results/*-benchmark.pid"))


@pytest.fixture(scope="module")
def desk(sim_fleet: Fleets, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    options = ("--name", "answers", "--name", "silent", "--fault", "silent=hang")
    with sim_fleet(*options) as fleet:
        lines = ["defaults: {connect_timeout_s: 1}", "boards:"]
        for name, board in fleet.boards.items():
            lines.append(
                f"  {name}: {{host: {board.host}, port: {board.port}, user: {board.user}, "
                f"host_key: '{board.host_keys[0]}', identity_file: '{board.identity_file}'}}"
            )
        lines += [
            "fleets:",
            "  one: {boards: answers, recipe: segformer-tiny}",
            "  both: {boards: [answers, silent], recipe: segformer-tiny}",
        ]
        (folder / "inventory.yaml").write_text("\n".join(lines) + "\n")
        identity = fleet.boards["answers"].identity_file
        assert identity is not None
        yield Desk(folder, Path(identity).parent / "boards")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_interrupts_a_run_finds_the_board_free_and_the_run_can_go_on(
    desk: Desk, number: signal.Signals
) -> None:
    process = desk.start("deploy", "--fleet", "one", "--iterations", "100000")
    try:
        end = time.monotonic() + 240
        while not desk.at_work():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == 130
    assert "free again, with nothing running: answers" in said
    assert desk.at_work() == []
    (lock,) = json.loads(desk.orch("fleet", "locks", "--fleet", "one", "--json")[1])
    assert lock["holder"] is None
    (run,) = json.loads(desk.orch("report", "--list", "--json")[1])[:1]
    assert f"orch deploy --resume {run['run_id']}" in said
    assert run["exit_code"] == 130


def test_a_board_that_never_answers_costs_one_line_and_no_traceback(desk: Desk) -> None:
    code, out, err = desk.orch("fleet", "locks", "--fleet", "both", "--json")

    found = {one["board"]: one for one in json.loads(out)}
    assert code == 1
    assert found["silent"]["error_code"] == "UNREACHABLE"
    assert found["answers"]["error_code"] == ""
    assert "Traceback" not in err
    assert len([line for line in err.splitlines() if "silent" in line]) == 1
