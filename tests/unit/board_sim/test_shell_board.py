"""A simulated board without Python and SFTP, over SSH: from the first look to class ids."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.agent import Agent, load_agent
from orchestrator.backends.fabric_connect import FabricConnect
from orchestrator.domain import Board, Json
from orchestrator.errors import AgentError
from orchestrator.shell.agent import ShellAgent, load_shell_agent

SIDECAR: dict[str, Json] = {
    "inputs": [{"name": "x", "dtype": "uint8", "shape": [1, 2, 3]}],
    "outputs": [{"name": "c", "dtype": "int32", "shape": [1, 2, 1]}],
    "simulated": True,
}


@pytest.mark.slow
def test_a_board_with_a_shell_and_no_more_is_deployed_measured_and_heard(
    start_fleet: Callable[..., AbstractContextManager[dict[str, Any]]],
    write_axmodel: Callable[..., Path],
    tmp_path: Path,
) -> None:
    files = {
        "model.axmodel": write_axmodel(npu_mode=0).read_bytes(),
        "model.json": json.dumps(SIDECAR).encode(),
    }
    image = np.array([3, 1, 2, 1, 2, 3], np.uint8).tobytes()
    faults = ("--fault=sim-01=no-python", "--fault=sim-01=no-sftp")
    with start_fleet(tmp_path, "--boards", "1", *faults) as fleet:
        board = board_of(fleet)
        with FabricConnect((tmp_path / "known_hosts",))(board) as transport:
            with pytest.raises(AgentError) as no_python:
                Agent(board, transport, load_agent()).ask("probe", {"blobs": []})
            agent = ShellAgent(board, transport, load_shell_agent())
            found = agent.ask("probe", {"blobs": [], "lease": {"owner": "me", "ttl_s": 60}})
            lease = found["lease"]
            assert isinstance(lease, dict)
            agent.token = int(str(lease["token"]))
            bring(agent, tmp_path / "local", *files.values(), image)
            agent.ask("activate", {"release_id": "r1", "manifest": {"files": listed(files)}})
            asked: dict[str, Json] = {"model": "model.axmodel", "deadline_s": 60}
            measured = agent.ask(
                "benchmark", asked | {"run_id": "b", "warmup": 1, "iterations": 20}, 90
            )
            heard = agent.ask("infer", asked | {"run_id": "i", "inputs": [digest(image)]}, 90)

    assert no_python.value.code == "OLD_PYTHON"
    facts = found["facts"]
    assert isinstance(facts, dict)
    assert facts["chip_type"] == "AX650N_CHIP"
    assert (facts["python"], facts["simulated"]) == (None, True)
    assert isinstance(facts["cmm_free_bytes"], int)
    assert isinstance(facts["disk_free_bytes"], int)
    summary = measured["summary"]
    assert isinstance(summary, dict)
    assert summary["iterations"] == 20
    assert class_ids(heard) == [0, 2]


def board_of(fleet: dict[str, Any]) -> Board:
    """The only board of a simulated fleet."""
    entry = fleet["boards"][0]
    return Board(
        "sim-01",
        entry["host"],
        entry["port"],
        "root",
        host_keys=(entry["host_key"],),
        identity_file=fleet["key"],
        simulated=True,
    )


def bring(agent: ShellAgent, local: Path, *blobs: bytes) -> None:
    for data in blobs:
        local.write_bytes(data)
        agent.transport.put(local, agent.incoming(digest(data)), deadline_s=30)


def listed(files: dict[str, bytes]) -> dict[str, Json]:
    return {name: {"sha256": digest(data), "size_bytes": len(data)} for name, data in files.items()}


def class_ids(heard: dict[str, Json]) -> list[int]:
    outputs = heard["outputs"]
    assert isinstance(outputs, list)
    assert isinstance(outputs[0], dict)
    tensor = outputs[0]["c"]
    assert isinstance(tensor, dict)
    raw = zlib.decompress(base64.b64decode(str(tensor["data"])))
    ids: list[int] = np.frombuffer(raw, np.int32).tolist()
    return ids


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
