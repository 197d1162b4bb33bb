"""A rollout as its user sees it: the plan, cut-off and resumed runs, two orchs on one board."""

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
from typing import Any

import pytest

from orchestrator.simulation import SimulatedFleet

ORCH = Path(sys.executable).with_name("orch")
BOARDS = ("b-01", "b-02", "b-03")
Fleets = Callable[..., AbstractContextManager[SimulatedFleet]]
pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Host:
    """A folder of somebody who works on the fleet; artifacts are shared, state is not."""

    folder: Path
    blobs: Path
    boards: Path

    def start(self, *argv: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(ORCH), *argv],
            cwd=self.folder,
            env=os.environ
            | {"HF_HUB_OFFLINE": "1", "COLUMNS": "200", "ORCH_BLOBS": str(self.blobs)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def orch(self, *argv: str) -> tuple[int, str, str]:
        process = self.start(*argv)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def deploy(self, *argv: str, fleet: str = "all") -> tuple[int, dict[str, Any]]:
        argv = ("deploy", "--fleet", fleet, "--iterations", "30", "--json", *argv)
        code, out, err = self.orch(*argv)
        assert out, err
        return code, json.loads(out)

    def on_board(self, board: str, *names: str) -> Path:
        return self.boards.joinpath("boards", board, "root", ".orch", *names)


@pytest.fixture(scope="module")
def fleet(sim_fleet: Fleets) -> Iterator[SimulatedFleet]:
    with sim_fleet(*(part for name in BOARDS for part in ("--name", name))) as running:
        yield running


@pytest.fixture(scope="module")
def new_host(fleet: SimulatedFleet, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Host]:
    blobs = tmp_path_factory.mktemp("blobs")

    def make() -> Host:
        folder = tmp_path_factory.mktemp("host")
        lines = ["boards:"]
        for name, board in fleet.boards.items():
            lines.append(
                f"  {name}: {{host: {board.host}, port: {board.port}, user: {board.user}, "
                f"host_key: '{board.host_keys[0]}', identity_file: '{board.identity_file}'}}"
            )
        common = "recipe: segformer-tiny, toolchain: sim, max_parallel: 1"
        lines += [
            "fleets:",
            f"  all: {{boards: [{', '.join(BOARDS)}], {common}}}",
            f"  first: {{boards: [b-01], {common}}}",
            f"  waves: {{boards: [{', '.join(BOARDS)}], {common},",
            "    rollout: {canary: [b-02], waves: ['50%', '100%'], max_failed: 0}}",
        ]
        (folder / "inventory.yaml").write_text("\n".join(lines) + "\n")
        identity = next(iter(fleet.boards.values())).identity_file
        assert identity is not None
        return Host(folder, blobs, Path(identity).parent)

    return make


@pytest.fixture(scope="module")
def host(new_host: Callable[[], Host]) -> Host:
    """A host that has everything built."""
    made = new_host()
    code, _, err = made.orch("build", "--fleet", "all")
    assert code == 0, err
    return made


def outcomes(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["outcome"]["board"]: one["outcome"] for one in report["boards"]}


def plan_of(host: Host, fleet: str = "all") -> dict[str, dict[str, Any]]:
    code, out, err = host.orch("deploy", "--fleet", fleet, "--dry-run", "--json")
    assert code == 0, err
    found: dict[str, dict[str, Any]] = json.loads(out)["plan"]
    return found


def hold_to_plan(plan: dict[str, dict[str, Any]], done: dict[str, dict[str, Any]]) -> None:
    assert sorted(plan) == sorted(done)
    for board, planned in plan.items():
        outcome = done[board]
        if planned["action"] == "refuse":
            assert outcome["error_code"]
            assert outcome["error"] in planned["why"]
            continue
        delivery = outcome["delivery"]
        assert outcome["error_code"] == ""
        assert delivery["uploaded_bytes"] == planned["send_bytes"]
        assert delivery["activated"] == (planned["switch_to"] is not None)
        assert delivery["before"] == (planned["current"] if delivery["activated"] else None)


def test_what_is_planned_is_what_is_then_done(host: Host) -> None:
    chip = host.boards / "boards" / "b-03" / "proc" / "ax_proc" / "chip_type"
    genuine = chip.read_text()
    chip.write_text("AX630C_CHIP\n")
    try:
        plan = plan_of(host)
        left = [name for name in BOARDS if host.on_board(name).exists()]
        _, report = host.deploy()
    finally:
        chip.write_text(genuine)

    assert left == []
    assert {name: one["action"] for name, one in plan.items()} == {
        "b-01": "deploy",
        "b-02": "deploy",
        "b-03": "refuse",
    }
    hold_to_plan(plan, outcomes(report))
    assert not host.on_board("b-03", "blobs").exists()

    again = plan_of(host)
    assert (again["b-01"]["action"], again["b-01"]["send_bytes"]) == ("measure", 0)
    hold_to_plan(again, outcomes(host.deploy()[1]))


def test_a_run_cut_off_by_kill_9_goes_on_and_visits_nobody_twice(host: Host) -> None:
    process = host.start("deploy", "--fleet", "waves", "--iterations", "400", "--json")
    try:
        # The canary is done and the next board is at work when the second worker registers.
        seen: set[Path] = set()
        end = time.monotonic() + 240
        while len({path.parts[-5] for path in seen}) < 2:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            seen |= set(host.boards.glob("boards/*/root/.orch/results/*-benchmark.pid"))
            time.sleep(0.02)
    finally:
        process.kill()
        process.communicate()
    runs = json.loads(host.orch("report", "--list", "--json")[1])
    assert runs[0]["exit_code"] is None
    canary = _benchmark(host, "b-02", runs[0]["run_id"])
    before = canary.stat().st_mtime_ns

    code, out, err = host.orch("deploy", "--resume", runs[0]["run_id"], "--json")

    assert code == 0, err
    report = json.loads(out)
    assert report["run"]["run_id"] == runs[0]["run_id"]
    assert {
        name: len(one["measurement"]["samples_ns"]) for name, one in outcomes(report).items()
    } == (dict.fromkeys(BOARDS, 400))
    assert all(len(one["overlays"]) == 3 for one in outcomes(report).values())
    assert canary.stat().st_mtime_ns == before
    assert "b-02" not in {line.split()[1] for line in err.splitlines() if len(line.split()) > 1}
    # The board that was at work went on: the same samples, not new ones.
    kept = json.loads(_benchmark(host, "b-01", runs[0]["run_id"]).read_text())
    assert (
        outcomes(report)["b-01"]["measurement"]["samples_ns"]
        == (kept["reply"]["result"]["samples_ns"])
    )
    again = json.loads(host.orch("deploy", "--resume", runs[0]["run_id"], "--json")[1])
    assert again["boards"] == report["boards"]


def _benchmark(host: Host, board: str, run_id: str) -> Path:
    return host.on_board(board, "results", f"{run_id}-benchmark.json")


def test_a_paused_rollout_ends_after_a_wave(host: Host) -> None:
    code, out, err = host.orch(
        "deploy", "--fleet", "waves", "--iterations", "30", "--pause", "--json"
    )
    paused = json.loads(out)
    assert f"to go on: orch deploy --resume {paused['run']['run_id']}" in err

    assert code == 0
    assert sorted(outcomes(paused)) == ["b-02"]
    assert paused["run"]["summary"]["not_begun"] == ["b-01", "b-03"]

    code, out, _ = host.orch("deploy", "--resume", paused["run"]["run_id"], "--json")

    assert code == 0
    assert sorted(outcomes(json.loads(out))) == list(BOARDS)


def test_an_orch_that_was_stopped_changes_nothing_after_it_was_replaced(
    host: Host, new_host: Callable[[], Host]
) -> None:
    other = new_host()
    zombie = host.start("deploy", "--fleet", "first", "--iterations", "100000", "--json")
    try:
        end = time.monotonic() + 120
        while not list(host.on_board("b-01", "results").glob("*-benchmark.pid")):
            assert zombie.poll() is None, zombie.communicate()
            assert time.monotonic() < end
            time.sleep(0.02)
        zombie.send_signal(signal.SIGSTOP)
        locks = json.loads(other.orch("fleet", "locks", "--fleet", "first", "--json")[1])
        freed = other.orch("fleet", "unlock", "b-01", "--yes")
        code, report = other.deploy(fleet="first")
        zombie.send_signal(signal.SIGCONT)
        out, err = zombie.communicate(timeout=120)
    finally:
        zombie.kill()
        zombie.communicate()

    assert "/" in json.dumps(locks)
    assert freed[0] == 0, freed[2]
    assert code == 0
    assert len(outcomes(report)["b-01"]["measurement"]["samples_ns"]) == 30
    assert zombie.returncode == 1, err
    assert outcomes(json.loads(out))["b-01"]["error_code"] in {"STALE_TOKEN", "RUN_FAILED"}
