"""The code that a start leaves for the starts to come: real starts of a real bundle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from board_agent import __main__ as start
from board_agent import protocol
from orchestrator.agent_bundle import bundle_agent
from orchestrator.agent_commands import installed
from tests.unit.board_agent.board import Board

REQUESTS: dict[str, dict[str, object]] = {
    "probe": {"blobs": []},
    "gc": {"keep": [], "dry_run": True, "token": 1},
}


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    path = tmp_path / "agent.pyz"
    path.write_bytes(bundle_agent())
    return path


def ask(agent: Path, kind: str) -> dict[str, object]:
    work_dir = str(agent.parent / "work")
    fields: dict[str, object] = {"version": protocol.VERSION, "kind": kind, "work_dir": work_dir}
    request = json.dumps(fields | REQUESTS[kind]).encode()
    argv = installed(str(agent))
    done = subprocess.run(argv, input=request, capture_output=True, check=True)
    return protocol.unpack(done.stdout)


def kept(agent: Path) -> set[str]:
    return set(start.read(str(agent)))


def test_a_start_keeps_what_it_used_and_no_more(agent: Path) -> None:
    ask(agent, "probe")

    assert {"board_agent", "board_agent.main", "board_agent.probe"} <= kept(agent)
    assert "board_agent.garbage" not in kept(agent)


def test_a_later_start_adds_to_it(agent: Path) -> None:
    ask(agent, "probe")
    ask(agent, "gc")

    assert {"board_agent.probe", "board_agent.garbage"} <= kept(agent)


def test_a_start_that_compiles_nothing_writes_nothing(agent: Path) -> None:
    ask(agent, "probe")
    before = Path(start.compiled_file(str(agent))).stat().st_ino

    ask(agent, "probe")

    assert Path(start.compiled_file(str(agent))).stat().st_ino == before


@pytest.mark.parametrize("damage", [b"", b"x" * 3000])
def test_damaged_code_is_made_anew(agent: Path, damage: bytes) -> None:
    ask(agent, "probe")
    Path(start.compiled_file(str(agent))).write_bytes(damage)

    assert ask(agent, "probe")["ok"]
    assert "board_agent.probe" in kept(agent)


def test_a_folder_that_takes_nothing_does_not_stop_it(agent: Path) -> None:
    Path(start.compiled_file(str(agent))).mkdir()

    assert ask(agent, "probe")["ok"]


def test_the_python_it_is_for_is_in_its_name(agent: Path) -> None:
    assert start.compiled_file(str(agent)).endswith(f".pyz.{sys.implementation.cache_tag}")


def test_a_worker_keeps_what_it_used_beside_what_was_there(agent: Path, tmp_path: Path) -> None:
    board = Board(tmp_path, agent)
    board.near = False
    board.deploy()

    work = {"model": "model.axmodel", "warmup": 0, "iterations": 1, "deadline_s": 60}
    board.result("benchmark", run_id="x", **work)

    assert {"board_agent.release", "board_agent.supervise", "board_agent.measure"} <= kept(agent)
