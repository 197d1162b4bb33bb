"""Boards whose host keys are unknown, accepted, or have changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ORCH = Path(sys.executable).with_name("orch")


def orch(folder: Path, *argv: str, answer: str = "") -> tuple[int, str]:
    done = subprocess.run(
        [str(ORCH), *argv],
        cwd=folder,
        env=os.environ | {"HOME": str(folder)},
        input=answer,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Starts one board and writes an inventory that pins no key; gives the board's public key."""
    servers = []

    def start(*faults: str) -> Path:
        argv = [sys.executable, "-m", "containers.board_sim.serve", "--root", str(tmp_path / "sim")]
        keys = ["--make-key", str(tmp_path / "key"), "--authorized-key", str(tmp_path / "key.pub")]
        port = free_port()
        server = subprocess.Popen(
            [*argv, *keys, "--boards", "1", "--port", str(port), "--stop-with-parent", *faults],
            stdin=subprocess.PIPE,
        )
        servers.append(server)
        while not (tmp_path / "sim" / "fleet.json").exists():
            assert server.poll() is None
        (tmp_path / "inventory.yaml").write_text(
            f"boards:\n  b1: {{host: 127.0.0.1, port: {port}, identity_file: {tmp_path}/key}}\n"
            "fleets:\n  one: {boards: [b1]}\n"
        )
        return tmp_path / "sim" / "host_keys" / "sim-01" / "host_key.pub"

    yield start
    for server in servers:
        server.communicate(timeout=20)


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fingerprint(public_key: Path) -> str:
    import paramiko

    kind, data = public_key.read_text().split()[:2]
    entry = paramiko.hostkeys.HostKeyEntry.from_line(f"x {kind} {data}")
    assert entry is not None
    assert entry.key is not None
    return str(entry.key.fingerprint)


def test_an_unknown_host_key_is_refused_until_it_is_accepted(
    board: Callable[..., Path], tmp_path: Path
) -> None:
    public_key = board()

    code, said = orch(tmp_path, "fleet", "check", "--fleet", "one")
    assert code == 1
    assert "its host key is unknown" in said
    assert "orch fleet trust b1" in said

    code, said = orch(tmp_path, "fleet", "trust", "b1", answer="n\n")
    assert code == 1
    assert fingerprint(public_key) in said
    assert not (tmp_path / ".orch" / "known_hosts").exists()

    code, said = orch(tmp_path, "fleet", "trust", "b1", answer="y\n")
    assert code == 0
    code, said = orch(tmp_path, "fleet", "check", "--fleet", "one", "--json")
    assert code == 0
    (looked,), _ = json.JSONDecoder().raw_decode(said)
    assert looked["facts"]["chip_type"] == "AX650N_CHIP"


def test_a_changed_host_key_stops_the_board_and_shows_both_fingerprints(
    board: Callable[..., Path], tmp_path: Path
) -> None:
    public_key = board("--fault", "sim-01=wrong-host-key")
    kind, data = public_key.read_text().split()[:2]
    inventory = tmp_path / "inventory.yaml"
    pinned = inventory.read_text().replace("{host:", f"{{host_key: {kind} {data}, host:")
    inventory.write_text(pinned)

    code, said = orch(tmp_path, "fleet", "check", "--fleet", "one")

    assert code == 1
    assert "failed: HOST_KEY" in said
    shown = fingerprint(public_key.with_name("other_key.pub"))
    assert f"expected {fingerprint(public_key)}, was shown {shown}" in said

    code, said = orch(tmp_path, "fleet", "trust", "b1", "--yes")
    assert code == 1
    assert "the inventory pins another key" in said


def test_a_board_that_is_off_is_said_to_be_unreachable(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(
        f"boards:\n  b1: {{host: 127.0.0.1, port: {free_port()}}}\n"
        "fleets:\n  one: {boards: [b1]}\n"
    )

    code, said = orch(tmp_path, "fleet", "check", "--fleet", "one")
    assert code == 1
    assert "failed: UNREACHABLE" in said
    assert "Connection refused" in said

    code, said = orch(tmp_path, "fleet", "trust", "b1")
    assert code == 1
    assert "no connection: Connection refused" in said


def test_a_pinned_key_that_is_none_is_said_as_such(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(
        "boards:\n  b1: {host: 127.0.0.1, port: 9, host_key: ssh-ed25519 nonsense}\n"
        "fleets:\n  one: {boards: [b1]}\n"
    )

    code, said = orch(tmp_path, "fleet", "check", "--fleet", "one")

    assert code == 1
    assert "its pinned host_key is not a public key" in said
