"""A simulated axmodel as orch's stand-in for Pulsar2 lays it out, and a fleet to log in to."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import onnx
import paramiko
import pytest
from onnx import TensorProto, helper

REPOSITORY = Path(__file__).parents[3]


def _network(shape: list[int]) -> bytes:
    """Three outputs of one uint8 input: itself, its successor, and the int64 ArgMax."""
    nodes = [
        helper.make_node("Identity", ["x"], ["a"]),
        helper.make_node("Add", ["x", "one"], ["b"]),
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ArgMax", ["f"], ["c"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "int8",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, shape)],
        [
            helper.make_tensor_value_info("a", TensorProto.UINT8, shape),
            helper.make_tensor_value_info("b", TensorProto.UINT8, shape),
            helper.make_tensor_value_info("c", TensorProto.INT64, [*shape[:-1], 1]),
        ],
        [helper.make_tensor("one", TensorProto.UINT8, [1], [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    return bytes(model.SerializeToString())


@pytest.fixture
def write_axmodel(tmp_path: Path) -> Callable[..., Path]:
    def write(
        npu_mode: int = 0,
        hardware: int = 0,
        commit: str = "fa4e0000",
        note: str = "SIMULATED by orch",
        version: str = "5.2",
        network: bytes | None = None,
    ) -> Path:
        shape = [1, 2, 3]
        graph = helper.make_graph(
            [helper.make_node("neu mode", ["x"], ["a", "b", "c"], neu_name="subgraph_npu_0")],
            "ax-model",
            [helper.make_tensor_value_info("x", TensorProto.UINT8, shape)],
            [
                helper.make_tensor_value_info("a", TensorProto.UINT8, shape),
                helper.make_tensor_value_info("b", TensorProto.UINT8, shape),
                helper.make_tensor_value_info("c", TensorProto.INT32, [1, 2, 1]),
            ],
        )
        blob = _network(shape) if network is None else network
        graph.initializer.append(
            TensorProto(
                name="npu_params", data_type=TensorProto.UINT8, dims=[len(blob)], raw_data=blob
            )
        )
        model = helper.make_model(graph, producer_name="Pulsar2", ir_version=10)
        model.doc_string = f"Pulsar2 Version:  {version}\nPulsar2 Commit: {commit}\n{note}"
        # proto: 2 version "1", 4 build info { 3 npu_mode }, 5 hardware type
        extra = b"\x12\x011" + b"\x22\x02\x18" + bytes([npu_mode]) + b"\x28" + bytes([hardware])
        helper.set_model_props(model, {"extra_data": base64.b64encode(extra).decode()})
        path = tmp_path / "compiled.axmodel"
        onnx.save_model(model, str(path))
        return path

    return write


@contextmanager
def running_fleet(folder: Path, *options: str) -> Iterator[dict[str, Any]]:
    """Start a fleet as a user would, give its fleet.json, stop it by closing its stdin."""
    argv = [sys.executable, "-m", "containers.board_sim.serve", "--root", str(folder / "fleet")]
    with subprocess.Popen(
        [*argv, "--make-key", str(folder / "client_key"), "--stop-with-parent", *options],
        stdin=subprocess.PIPE,
        cwd=REPOSITORY,
    ) as process:
        told = folder / "fleet" / "fleet.json"
        while not told.exists():
            assert process.poll() is None, f"the fleet ended with {process.returncode}"
            time.sleep(0.02)
        fleet: dict[str, Any] = json.loads(told.read_text())
        yield fleet | {"key": str(folder / "client_key")}
    assert process.returncode == 0
    assert not told.exists()


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    faults = ["no-sftp", "no-python", "wrong-host-key", "vnpu", "old-sdk", "hang"]
    options = [f"--fault=sim-{at:02d}={fault}" for at, fault in enumerate(faults, start=3)]
    with running_fleet(tmp_path_factory.mktemp("fleet"), "--boards", "8", *options) as running:
        yield running


@pytest.fixture
def start_fleet() -> Callable[..., AbstractContextManager[dict[str, Any]]]:
    return running_fleet


@pytest.fixture
def connect() -> Iterator[Callable[..., paramiko.SSHClient]]:
    """Log in to a board of a fleet, trusting only the key that fleet.json names."""
    with ExitStack() as stack:

        def log_in(
            fleet: dict[str, Any], name: str, user: str = "root", key: Path | None = None
        ) -> paramiko.SSHClient:
            board = next(board for board in fleet["boards"] if board["name"] == name)
            kind, _, data = board["host_key"].partition(" ")
            client = stack.enter_context(paramiko.SSHClient())
            client.set_missing_host_key_policy(paramiko.RejectPolicy())
            known = paramiko.Ed25519Key(data=base64.b64decode(data))
            client.get_host_keys().add(f"[{board['host']}]:{board['port']}", kind, known)
            client.connect(
                board["host"],
                board["port"],
                user,
                key_filename=str(key or fleet["key"]),
                allow_agent=False,
                look_for_keys=False,
                banner_timeout=30,
            )
            return client

        yield log_in
