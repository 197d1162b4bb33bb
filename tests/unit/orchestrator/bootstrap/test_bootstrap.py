from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.agent import Agent, load_agent
from orchestrator.bootstrap.fleet import Supplies
from orchestrator.bootstrap.wheelhouse import Wheelhouse
from orchestrator.errors import AgentError
from tests.unit.orchestrator.bootstrap.bringing import BOARD, go
from tests.unit.orchestrator.stand_ins import LocalBoard

MakeWheel = Callable[..., Path]


def test_a_bare_board_is_brought_to_run_the_vendors_model(
    bare_board: Any, supplies: Supplies
) -> None:
    bare_board.add_model()
    found = go(bare_board, supplies)

    assert (found.error, found.state, found.can) == ("", "installed", "axengine")
    assert found.packages["numpy"] == "2.0.0"
    assert found.selftest is not None
    assert found.selftest["model"] == "mobilenetv2.axmodel"
    assert found.uploaded_bytes > 9000
    system = bare_board.folder / "python" / "lib"
    assert not list(system.rglob("site-packages/*"))  # the system's Python is as it was
    assert not list((bare_board.work / "blobs").iterdir())
    assert not list((bare_board.work / "incoming").rglob("*.part"))


def test_the_second_time_is_one_round_trip_and_no_byte(bare_board: Any, supplies: Supplies) -> None:
    bare_board.add_model()
    first = go(bare_board, supplies)
    bare_board.runs.clear()
    again = go(bare_board, supplies)
    assert bare_board.runs == ["runtime"]
    assert (again.state, again.uploaded_bytes) == ("ready", 0)
    assert (again.installed, again.selftest) == (first.installed, first.selftest)


def test_a_dry_run_leaves_nothing_on_the_board(bare_board: Any, supplies: Supplies) -> None:
    found = go(bare_board, replace(supplies, dry_run=True))
    assert found.state == "would install"
    assert not bare_board.work.exists()


@pytest.mark.slow
def test_without_axengine_the_rest_is_brought_and_the_gap_is_named(
    bare_board: Any, supplies: Supplies
) -> None:
    found = go(bare_board, replace(supplies, axengine=None))
    assert (found.state, found.can) == (
        "incomplete",
        "ax_run_model only: its Python lacks axengine",
    )
    assert found.packages["numpy"] == "2.0.0"
    assert "--axengine" in found.hint


@pytest.mark.slow
def test_another_axengine_takes_the_place_of_the_first(
    bare_board: Any, supplies: Supplies, kept: Wheelhouse, make_wheel: MakeWheel
) -> None:
    first = go(bare_board, supplies)
    files = {"axengine/_axe.py": "# another build\n", "axengine/__init__.py": ""}
    path = make_wheel("axengine", "0.1.3", files)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    second = go(bare_board, replace(supplies, axengine=kept.axengine(str(path), sha256)))

    assert first.installed != second.installed
    assert first.axengine != second.axengine
    sets = {path.name for path in (bare_board.work / "python").iterdir()}
    assert sets == {"current", second.installed}


@pytest.mark.slow
def test_an_upload_that_was_cut_goes_on_where_it_ended(bare_board: Any, supplies: Supplies) -> None:
    bare_board.cut_after = 100
    cut = go(bare_board, supplies)
    assert cut.error_code == "UNREACHABLE"
    total = go(bare_board, replace(supplies, dry_run=True))
    assert total.state == "would install"
    found = go(bare_board, supplies)
    assert found.state == "installed"
    assert supplies.axengine is not None
    sizes = [path.stat().st_size for path in supplies.wheelhouse.folder.glob("cp*/*.whl")]
    assert found.uploaded_bytes == sum(sizes) + supplies.axengine.size_bytes - 100


@pytest.mark.slow
def test_what_was_damaged_on_the_way_is_not_installed(bare_board: Any, supplies: Supplies) -> None:
    bare_board.spoil = True
    found = go(bare_board, supplies)
    assert (found.state, found.error_code) == ("failed", "HASH_MISMATCH")
    assert bare_board.runs.count("install") == 2  # sent again, once
    assert not (bare_board.work / "python" / "current").is_symlink()
    bare_board.spoil = False
    assert go(bare_board, supplies).state == "installed"


@pytest.mark.slow
def test_a_half_unpacked_set_is_no_set_and_goes(bare_board: Any, supplies: Supplies) -> None:
    half = bare_board.work / "python" / f"cp310-{'0' * 16}.7.tmp" / "numpy"
    half.mkdir(parents=True)
    (half / "__init__.py").write_text("raise SystemExit\n")
    found = go(bare_board, supplies)
    assert found.state == "installed"
    assert not half.parent.exists()


def test_a_set_of_another_python_is_not_used(bare_board: Any, supplies: Supplies) -> None:
    other = bare_board.work / "python" / f"cp36-{'0' * 16}"
    (other / "numpy").mkdir(parents=True)
    (other / "numpy" / "__init__.py").write_text("")
    (other.parent / "current").symlink_to(other.name)
    assert go(bare_board, replace(supplies, dry_run=True)).packages["numpy"] == ""


@pytest.mark.slow
def test_a_model_that_fails_is_the_boards_failure_and_is_tried_again(
    bare_board: Any, supplies: Supplies
) -> None:
    bare_board.add_model()
    script = Path(bare_board.environment["FAKE_AXENGINE"])
    good = script.read_text()
    script.write_text(json.dumps(json.loads(good) | {"run": ["RuntimeError", "Failed to run"]}))
    found = go(bare_board, supplies)
    assert (found.state, found.error_code) == ("failed", "RUN_FAILED")
    assert "mobilenetv2.axmodel" in found.error
    script.write_text(good)
    assert go(bare_board, supplies).selftest is not None


def test_somebody_elses_board_is_left_alone(bare_board: Any, supplies: Supplies) -> None:
    with bare_board(BOARD) as line:
        agent = Agent(BOARD, line, load_agent())
        agent.ask("lease", {"op": "acquire", "owner": "other@there/1", "ttl_s": 60})
    found = go(bare_board, supplies)
    assert (found.state, found.error_code, found.uploaded_bytes) == ("failed", "LEASED", 0)


@pytest.mark.slow
def test_a_benchmark_uses_the_packages_that_were_brought(
    bare_board: Any, supplies: Supplies
) -> None:
    assert go(bare_board, supplies).state == "installed"
    spec = {"name": "input", "dtype": "uint8", "shape": [1, 2, 3, 3]}
    sidecar = json.dumps({"version": 1, "inputs": [spec], "simulated": True}).encode()
    with bare_board(BOARD) as line:
        agent = Agent(BOARD, line, load_agent())
        agent.token = lease(agent)
        listed: dict[str, Any] = {}
        for name, content in {"model.axmodel": b"a model", "model.json": sidecar}.items():
            digest = hashlib.sha256(content).hexdigest()
            (bare_board.home / agent.incoming(digest)).write_bytes(content)
            listed[name] = {"sha256": digest, "size_bytes": len(content)}
        agent.ask("activate", {"release_id": "r1", "manifest": {"files": listed}})
        work: dict[str, Any] = {
            "run_id": "1",
            "model": "model.axmodel",
            "warmup": 0,
            "iterations": 2,
        }
        measured: Any = agent.ask("benchmark", work | {"deadline_s": 60})
    assert len(measured["samples_ns"]) == 2


def archive(member: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as wheel:
        wheel.writestr(member, "print('got out')\n")
    return made.getvalue()


@pytest.mark.parametrize("member", ["../../evil.py", "/tmp/evil.py", "numpy//evil.py"])
def test_the_agent_itself_refuses_wheels_that_lead_out(
    local_board: LocalBoard, member: str
) -> None:
    content = archive(member)
    agent = Agent(BOARD, local_board, load_agent())
    agent.token = lease(agent)
    part = local_board.home / agent.incoming(hashlib.sha256(content).hexdigest())
    part.write_bytes(content)
    with pytest.raises(AgentError, match="leads out of the wheel") as caught:
        agent.ask("install", install_request(content))
    assert caught.value.code == "BAD_REQUEST"
    assert not list(local_board.home.parent.rglob("evil.py"))


@pytest.mark.parametrize("kind", ["install", "selftest"])
def test_an_older_token_changes_nothing(local_board: LocalBoard, kind: str) -> None:
    model = local_board.root / "opt/data/npu/models/mobilenetv2.axmodel"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"a model")
    agent = Agent(BOARD, local_board, load_agent())
    old = lease(agent)
    agent.ask("lease", {"op": "break"})
    lease(agent)
    agent.token = old
    request = install_request(b"x") | {"deadline_s": 9}
    with pytest.raises(AgentError) as caught:
        agent.ask(kind, request)
    assert caught.value.code == "STALE_TOKEN"
    assert not (local_board.home / ".orch/python").exists()


def lease(agent: Agent) -> int:
    reply: Any = agent.ask("lease", {"op": "acquire", "owner": "tester", "ttl_s": 60})
    return int(reply["lease"]["token"])


def install_request(content: bytes) -> dict[str, Any]:
    entry = {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    name = f"cp{sys.version_info.major}{sys.version_info.minor}-{'0' * 16}"
    return {"name": name, "manifest": {"files": {"x-1.0-py3-none-any.whl": entry}}}
