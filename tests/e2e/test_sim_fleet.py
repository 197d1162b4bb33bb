"""The main job as a user runs it: real CLI, real SSH on loopback, a real INT8 model underneath."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ORCH = Path(sys.executable).with_name("orch")
RECIPES = Path(__file__).parents[2] / "orchestrator" / "recipes"
INVENTORY = """\
boards:
  sim-01: {simulated: true}
  sim-02: {simulated: true}
fleets:
  sim: {boards: [sim-01, sim-02], recipe: segformer-tiny, toolchain: sim, max_parallel: 1}
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with an inventory and a state folder that the tests of this file share."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / ".orch"

    def start(self, *argv: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(ORCH), *argv],
            cwd=self.folder,
            env=os.environ | {"HF_HUB_OFFLINE": "1", "COLUMNS": "200"} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def orch(self, *argv: str, **environment: str) -> tuple[int, str, str]:
        process = self.start(*argv, **environment)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def deploy(self, *argv: str) -> dict[str, object]:
        code, out, err = self.orch(
            "deploy", "--fleet", "sim", "--iterations", "30", "--json", *argv
        )
        assert code == 0, err
        report = json.loads(out)
        assert isinstance(report, dict)
        return report


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place where everything is built and deployed once."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "inventory.yaml").write_text(INVENTORY)
    made = Place(folder)
    report = made.deploy()
    assert [board["delivery"]["activated"] for board in boards(report)] == [True, True]
    return made


def boards(report: dict[str, object]) -> list[dict[str, dict[str, object]]]:
    listed = report["boards"]
    assert isinstance(listed, list)
    return [entry["outcome"] for entry in listed]


def stage_lines(err: str) -> dict[str, str]:
    """The last line that each stage said."""
    lines = [line.split(maxsplit=2) for line in err.splitlines() if line.strip()]
    return {parts[1]: parts[2] for parts in lines if len(parts) == 3}


def test_a_second_deploy_builds_nothing_and_uploads_nothing(place: Place) -> None:
    code, out, err = place.orch("deploy", "--fleet", "sim", "--iterations", "120")

    assert code == 0
    said = stage_lines(err)
    assert all(said[stage].startswith("cached:") for stage in ("export", "optimize", "compile"))
    assert said["sim-01"].startswith("0 bytes uploaded, nothing is new")
    assert "2 of 2 boards measured" in out
    assert "0 bytes uploaded" in out
    assert "simulated" in out
    row = next(line for line in out.splitlines() if "sim-02" in line)
    assert " 120 " in row
    assert "AX650/NPU3" in row


def test_the_boards_agree_with_the_float_model_and_with_each_other(place: Place) -> None:
    first, second = boards(place.deploy())

    assert first["agreement"]["share"] == second["agreement"]["share"]
    assert 0.97 <= float(str(first["agreement"]["share"])) < 1
    assert first["facts"]["uid"] != second["facts"]["uid"]
    assert first["facts"]["simulated"] is True
    samples = first["measurement"]["samples_ns"]
    assert isinstance(samples, list)
    assert len(samples) == 30
    assert min(samples) > 0


def test_a_run_leaves_its_report_and_pictures(place: Place) -> None:
    report = place.deploy()
    run = report["run"]
    assert isinstance(run, dict)
    folder = place.home / "reports" / str(run["run_id"])

    assert json.loads((folder / "report.json").read_text())["boards"] == report["boards"]
    assert "simulated" in (folder / "report.md").read_text()
    assert (folder / "report.csv").read_text().startswith("board,chip,SDK")
    assert len(list((folder / "overlays").rglob("*.png"))) == 6


def test_a_report_can_be_shown_again_from_the_ledger(place: Place) -> None:
    code, out, _ = place.orch("run", "--fleet", "sim", "--iterations", "30")
    assert code == 0

    again = place.orch("report")

    assert again[0] == 0
    assert again[1] == out


def test_run_refuses_boards_that_have_another_release(place: Place, tmp_path: Path) -> None:
    recipe = tmp_path / "other.yaml"
    text = (RECIPES / "segformer-tiny.yaml").read_text()
    recipe.write_text(text.replace("npu_mode: NPU3", "npu_mode: NPU1"))

    code, out, _ = place.orch("run", "--fleet", "sim", "--recipe", str(recipe))

    assert code == 1
    assert "it has release segformer-tiny-" in out
    assert "orch deploy" in out


def test_a_model_for_another_chip_is_refused_and_nothing_is_copied(
    place: Place, tmp_path: Path
) -> None:
    recipe = tmp_path / "ax620.yaml"
    text = (RECIPES / "segformer-tiny.yaml").read_text()
    text = text.replace("target_hardware: AX650", "target_hardware: AX620E")
    recipe.write_text(text.replace("npu_mode: NPU3", "npu_mode: NPU2"))
    before = blobs_on_boards(place)

    code, out, _ = place.orch("deploy", "--fleet", "sim", "--recipe", str(recipe))

    assert code == 1
    assert "sim-01: its chip is AX650N_CHIP (AX650), the model is for AX620E/NPU2" in out
    assert "compile.target_hardware: AX650" in out
    assert blobs_on_boards(place) == before


def blobs_on_boards(place: Place) -> list[str]:
    boards = (place.home / "sim" / "boards").glob("*/root/.orch")
    return sorted(
        str(path)
        for board in boards
        for name in ("blobs", "releases")
        for path in board.glob(f"{name}/*")
    )


def test_a_gate_that_is_not_met_ends_with_3_and_names_board_and_numbers(
    place: Place, tmp_path: Path
) -> None:
    recipe = tmp_path / "segformer-tiny.yaml"
    text = (RECIPES / "segformer-tiny.yaml").read_text()
    recipe.write_text(text.replace("min_agreement: 0.95", "min_agreement: 0.9999"))

    code, out, _ = place.orch(
        "deploy", "--fleet", "sim", "--recipe", str(recipe), "--iterations", "30"
    )

    assert code == 3
    assert "gate    sim-01: agreement 0.99" in out
    assert "is under 0.9999" in out


def test_a_dry_run_touches_nothing(place: Place, tmp_path: Path) -> None:
    before = snapshot(place.folder)
    code, out, _ = place.orch("deploy", "--fleet", "sim", "--dry-run")
    assert code == 0
    assert out.count("hit (") == 4
    assert "pulsar2 build --input input/model.onnx" in out
    assert snapshot(place.folder) == before

    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    code, out, _ = Place(tmp_path).orch("deploy", "--fleet", "sim", "--dry-run", "--json")
    assert code == 0
    assert json.loads(out)["stages"]["export"].startswith("miss: it has never run")
    assert [path.name for path in tmp_path.iterdir()] == ["inventory.yaml"]


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file but SQLite's own side files, which a reader may make and remove.

    Of a simulated board only its home: the rest is written anew whenever it is started.
    """
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
        and not path.name.startswith("orch.db-")
        and ("/.orch/sim/" not in str(path) or "/root/.orch/" in str(path))
    }


def test_why_names_the_field_that_has_changed(place: Place, tmp_path: Path) -> None:
    assert place.orch("why", "compile")[1].startswith("compile: hit")
    recipe = tmp_path / "segformer-tiny.yaml"
    text = (RECIPES / "segformer-tiny.yaml").read_text()
    recipe.write_text(text.replace("seed: 1000000, size: 32", "seed: 1000000, size: 16"))

    code, out, _ = place.orch("why", "compile", "--recipe", str(recipe))

    assert code == 0
    assert "compile: miss" in out
    assert "calibration" in out
    assert "argv" not in out


def test_a_genuine_board_refuses_a_simulated_model(place: Place) -> None:
    mark = place.home / "sim" / "boards" / "sim-01" / "etc" / "orch-simulated-board"
    assert place.orch("sim", "up")[0] == 0
    text = mark.read_bytes()
    mark.unlink()
    try:
        code, out, _ = place.orch("deploy", "--fleet", "sim", "--iterations", "30")
    finally:
        mark.write_bytes(text)
        assert place.orch("sim", "down")[0] == 0

    assert code == 1
    assert "sim-01: a genuine board does not run a simulated axmodel" in out
    assert "1 of 2 boards measured" in out


def test_simulated_boards_stay_up_between_commands_when_asked_to(place: Place) -> None:
    assert "2 simulated boards are up" in place.orch("sim", "up")[1]
    status = json.loads(place.orch("sim", "status", "--json")[1])
    place.deploy()
    still = json.loads(place.orch("sim", "status", "--json")[1])

    assert status["pid"] == still["pid"]
    assert place.orch("sim", "down")[1] == "the simulated boards are down\n"
    assert json.loads(place.orch("sim", "status", "--json")[1])["pid"] is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_with_130_and_leaves_no_process_and_no_scratch(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    place = Place(tmp_path)
    process = place.start("deploy", "--fleet", "sim", "--iterations", "100000")
    try:
        wait_for(lambda: bool(workers(place)), process)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == 130
    assert "interrupted" in err
    assert json.loads(place.orch("sim", "status", "--json")[1])["pid"] is None
    assert processes_of_boards(place) == []
    scratch = {path.name for path in (place.home / "work").iterdir() if path.is_dir()}
    assert scratch <= {"present"}  # who is at work
    runs = json.loads(place.orch("report", "--list", "--json")[1])
    assert runs[0]["exit_code"] == 130


def test_two_deploys_at_once_take_turns_with_the_simulated_boards(place: Place) -> None:
    argv = ("deploy", "--fleet", "sim", "--iterations", "200")
    both = [place.start(*argv), place.start(*argv)]

    said = [process.communicate(timeout=200) for process in both]

    assert [process.returncode for process in both] == [0, 0], said
    assert all("2 of 2 boards measured" in out for out, _ in said)
    assert sum("another orch has the simulated boards" in err for _, err in said) == 1


def test_kill_9_leaves_no_board_behind_and_the_next_run_goes_through(place: Place) -> None:
    before = workers(place)
    process = place.start("deploy", "--fleet", "sim", "--iterations", "100000")
    try:
        wait_for(lambda: bool(workers(place) - before), process)
    finally:
        process.kill()
        process.communicate()

    end = time.monotonic() + 30
    while processes_of_boards(place) or json.loads(place.orch("sim", "status", "--json")[1])["pid"]:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert [str(board["error"]) for board in boards(place.deploy())] == ["", ""]


def workers(place: Place) -> set[Path]:
    """Who is registered as at work; nothing else is looked at, for scratch comes and goes."""
    return set((place.home / "sim" / "boards").glob("*/root/.orch/results/*.pid"))


def processes_of_boards(place: Place) -> list[str]:
    mark = f"ORCH_SYSROOT={place.home}".encode()
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in environment.read_bytes():
                found.append(environment.parent.name)
    return found


def wait_for(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 120
    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def odd_fleet(place: Place, tmp_path: Path) -> Iterator[Path]:
    """Three boards that an inventory names by address; one hangs, one has no SFTP."""
    root = tmp_path / "fleet"
    root.mkdir()
    argv = ["-m", "containers.board_sim.serve", "--root", str(root), "--boards", "3"]
    keys = ["--make-key", str(root / "key"), "--authorized-key", str(root / "key.pub")]
    faults = ["--fault", "sim-02=hang", "--no-sftp", "sim-03", "--stop-with-parent"]
    server = subprocess.Popen(
        [sys.executable, *argv, *keys, *faults], stdin=subprocess.PIPE, text=True
    )
    try:
        wait_for((root / "fleet.json").exists, server)
        lines = ["boards:"]
        for board in json.loads((root / "fleet.json").read_text())["boards"]:
            lines.append(f"  {board['name']}:")
            lines.append(f"    {{host: {board['host']}, port: {board['port']}, ")
            lines.append(f"     host_key: {board['host_key']}, identity_file: {root / 'key'},")
            lines.append("     connect_timeout_s: 3}")
        lines.append("fleets:")
        lines.append("  odd: {boards: [sim-01, sim-02, sim-03], recipe: segformer-tiny}")
        inventory = tmp_path / "inventory.yaml"
        inventory.write_text("\n".join(lines) + "\n")
        shutil.copytree(place.home, tmp_path / ".orch", ignore=shutil.ignore_patterns("sim"))
        yield inventory
    finally:
        server.communicate(timeout=20)


def test_a_board_that_never_answers_does_not_stop_the_others(place: Place, odd_fleet: Path) -> None:
    code, out, err = place.orch(
        "deploy", "--fleet", "odd", "--inventory", str(odd_fleet), "--iterations", "30"
    )

    assert code == 1
    assert "2 of 3 boards measured" in out
    rows = {line.split()[0]: line for line in out.splitlines() if line.startswith("sim-")}
    assert "failed: UNREACHABLE" in rows["sim-02"]
    assert "simulated" in rows["sim-01"]
    assert "simulated" in rows["sim-03"]
    assert "failed  sim-02 (root@127.0.0.1:" in out
    assert "bytes uploaded" in stage_lines(err)["sim-03"]
