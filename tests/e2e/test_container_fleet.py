"""The main job as in a lab: Pulsar2 in an image, boards with OpenSSH and pinned host keys."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.domain import Board

pytestmark = [pytest.mark.docker, pytest.mark.slow]

ORCH = Path(sys.executable).with_name("orch")
WAIT_S = 300
Docker = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Report:
    """How `orch … --json` ended; `boards` are its outcomes by name."""

    code: int
    said: str
    run: Mapping[str, Any]
    boards: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lab:
    """A folder with an inventory of three boards; its state is shared by the tests of this file."""

    folder: Path
    boards: tuple[Board, ...]

    @property
    def names(self) -> list[str]:
        return [board.name for board in self.boards]

    def start(self, iterations: int, inventory: str = "inventory.yaml") -> subprocess.Popen[str]:
        argv = ["deploy", "--fleet", "containers", "--inventory", inventory, "--json"]
        return subprocess.Popen(
            [str(ORCH), *argv, "--iterations", str(iterations)],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def deploy(self, iterations: int, inventory: str = "inventory.yaml") -> Report:
        return finish(self.start(iterations, inventory))


def finish(process: subprocess.Popen[str]) -> Report:
    out, said = process.communicate(timeout=WAIT_S)
    assert out, said
    report = json.loads(out)
    outcomes = {one["outcome"]["board"]: one["outcome"] for one in report["boards"]}
    return Report(process.returncode, said, report["run"], outcomes)


def write_inventory(path: Path, boards: Sequence[Board]) -> None:
    inventory = {
        "toolchains": {"image": {"kind": "docker", "image": "orch/pulsar2-sim:5.2"}},
        "boards": {
            board.name: {
                "host": board.host,
                "port": board.port,
                "host_key": board.host_keys[0],
                "identity_file": board.identity_file,
            }
            for board in boards
        },
        "fleets": {
            "containers": {
                "boards": [board.name for board in boards],
                "recipe": "segformer-tiny",
                "toolchain": "image",
                "quarantine_after": 20,  # the tests of this file share the boards
            }
        },
    }
    path.write_text(yaml.safe_dump(inventory))


@pytest.fixture(scope="module")
def lab(container_boards: tuple[Board, ...], tmp_path_factory: pytest.TempPathFactory) -> Lab:
    folder = tmp_path_factory.mktemp("lab")
    write_inventory(folder / "inventory.yaml", container_boards)
    return Lab(folder, container_boards)


@pytest.fixture(scope="module")
def first(lab: Lab) -> Report:
    """The deploy that builds everything and finds the boards empty."""
    return lab.deploy(iterations=100)


def test_three_boards_are_measured_from_export_to_table(lab: Lab, first: Report) -> None:
    assert first.code == 0, first.said
    assert list(first.boards) == lab.names
    for outcome in first.boards.values():
        assert outcome["error"] == ""
        assert outcome["simulated"] is True
        assert len(outcome["measurement"]["samples_ns"]) == 100
        assert min(outcome["measurement"]["samples_ns"]) > 0
        assert 0.95 <= outcome["agreement"]["share"] <= 1
        assert outcome["agreement"]["images"] == 16
        assert outcome["delivery"]["uploaded_bytes"] > 1_000_000
        assert outcome["delivery"]["activated"] is True
    assert len({outcome["facts"]["uid"] for outcome in first.boards.values()}) == 3
    assert first.run["summary"]["simulated"] is True


def test_the_report_is_written_with_every_board(lab: Lab, first: Report) -> None:
    folder = lab.folder / ".orch" / "reports" / first.run["run_id"]
    written = json.loads((folder / "report.json").read_text())
    assert [one["outcome"]["board"] for one in written["boards"]] == lab.names
    for name in lab.names:
        assert name in (folder / "report.csv").read_text()
        assert name in (folder / "report.md").read_text()
        assert len(list((folder / "overlays" / name).glob("*.png"))) == 3


def test_what_lies_on_a_board_is_what_its_name_says(
    lab: Lab, first: Report, docker_engine: Docker
) -> None:
    release = f"releases/{first.run['summary']['release_id']}"
    for name in lab.names:
        listed = docker_engine("exec", name, "sh", "-c", "sha256sum /root/.orch/blobs/*")
        blobs = [line.split() for line in listed.splitlines()]
        assert len(blobs) == 18  # axmodel, sidecar and 16 images
        assert all(sha256 == Path(path).name for sha256, path in blobs)
        current = docker_engine("exec", name, "readlink", "-f", "/root/.orch/current")
        assert current == f"/root/.orch/{release}"
        manifest = json.loads(
            docker_engine("exec", name, "cat", "/root/.orch/current/manifest.json")
        )
        hashes = {file["sha256"] for file in manifest["files"].values()}
        assert hashes <= {sha256 for sha256, _ in blobs}
        (token,) = docker_engine("exec", name, "ls", "/root/.orch/incoming").split()
        assert docker_engine("exec", name, "ls", f"/root/.orch/incoming/{token}") == ""
        agent = docker_engine("exec", name, "sh", "-c", "sha256sum /root/.orch/agent/*.pyz")
        assert agent.split()[0] == Path(agent.split()[1]).stem


def test_no_container_of_the_toolchain_is_left(first: Report, docker_engine: Docker) -> None:
    assert first.code == 0
    assert docker_engine("ps", "--all", "--quiet", "--filter", "label=orch.toolchain=image") == ""


def test_a_second_deploy_builds_and_sends_nothing(lab: Lab, first: Report) -> None:
    second = lab.deploy(iterations=20)
    assert second.code == 0, second.said
    for stage in ("export", "optimize", "compile"):
        assert re.search(rf"{stage}\s+cached", second.said)
    assert second.run["summary"]["release_id"] == first.run["summary"]["release_id"]
    for outcome in second.boards.values():
        delivery = outcome["delivery"]
        sent = (delivery["uploaded_bytes"], delivery["agent_uploaded"], delivery["activated"])
        assert sent == (0, False, False)
        assert len(outcome["measurement"]["samples_ns"]) == 20


def test_a_wrong_host_key_stops_its_board_only(lab: Lab, first: Report) -> None:
    assert first.code == 0
    impostor, *others = lab.boards
    wrong = replace(impostor, host_keys=others[0].host_keys)
    write_inventory(lab.folder / "wrong.yaml", [wrong, *others])
    report = lab.deploy(20, "wrong.yaml")
    assert report.code == 1
    failed = report.boards[impostor.name]
    assert failed["error_code"] == "HOST_KEY"
    assert failed["error"].count("SHA256:") == 2
    assert f"orch fleet trust {impostor.name}" in failed["hint"]
    assert failed["measurement"] is None
    assert_measured(report, [board.name for board in others])


def test_a_board_that_dies_at_work_does_not_stop_the_others_and_converges_later(
    lab: Lab, first: Report, docker_engine: Docker, ssh_answers: Callable[[int], None]
) -> None:
    assert first.code == 0
    victim, *others = lab.boards
    process = lab.start(iterations=1000)
    wait_for_benchmark(docker_engine, victim.name, process)
    docker_engine("kill", victim.name)
    report = finish(process)

    assert report.code == 1
    failed = report.boards[victim.name]
    assert failed["error_code"] == "UNREACHABLE"
    assert failed["error"].startswith(victim.name)
    assert "no connection" in failed["error"]  # it was tried again
    assert failed["delivery"]["uploaded_bytes"] == 0  # what was learned before is kept
    assert report.run["summary"]["failed_boards"] == [victim.name]
    assert_measured(report, [board.name for board in others])

    down = lab.deploy(iterations=20)
    assert down.code == 1
    assert down.boards[victim.name]["error_code"] == "UNREACHABLE"
    assert_measured(down, [board.name for board in others])

    docker_engine("start", victim.name)
    ssh_answers(victim.port)
    again = lab.deploy(iterations=20)
    assert again.code == 0, again.said
    assert_measured(again, lab.names)
    assert again.boards[victim.name]["delivery"]["uploaded_bytes"] == 0


def wait_for_benchmark(docker: Docker, name: str, process: subprocess.Popen[str]) -> None:
    """Return when the agent on a board has started the worker that measures."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end and process.poll() is None:
        if "-benchmark.pid" in docker("exec", name, "ls", "/root/.orch/results"):
            return
        time.sleep(0.05)
    pytest.fail(f"{name}: no benchmark was begun; orch ended with {process.poll()}")


def assert_measured(report: Report, names: Sequence[str]) -> None:
    for name in names:
        assert report.boards[name]["error"] == ""
        assert report.boards[name]["measurement"]["samples_ns"]
        assert report.boards[name]["agreement"]["share"] >= 0.95
