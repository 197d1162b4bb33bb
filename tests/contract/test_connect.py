"""What opening a board promises: strict host keys, and an end to every attempt."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from containers.board_sim.serve import keep_key
from orchestrator.backends.fabric_connect import FabricConnect
from orchestrator.domain import Board
from orchestrator.errors import HostKeyError, LoginRefused, Refused, Unreachable
from orchestrator.simulation import SimulatedFleet

FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
WHERE = r"sim-0\d \(root@127\.0\.0\.1:\d+\): "


@pytest.fixture(scope="module")
def fleet(
    sim_fleet: Callable[..., AbstractContextManager[SimulatedFleet]],
) -> Iterator[SimulatedFleet]:
    with sim_fleet("--boards", "2", "--fault", "sim-02=wrong-host-key") as running:
        yield running


@pytest.fixture
def board(fleet: SimulatedFleet) -> Board:
    return fleet.boards["sim-01"]


@contextmanager
def silent_server(greeting: bytes) -> Iterator[int]:
    """Take one connection on a port, send the greeting and never another word."""
    lines: list[socket.socket] = []

    def greet() -> None:
        line, _ = server.accept()
        lines.append(line)
        line.sendall(greeting)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=greet)
        thread.start()
        yield server.getsockname()[1]
        thread.join()
        lines[0].close()


def open_and_close(board: Board, *known_hosts: Path) -> int:
    with FabricConnect(known_hosts)(board) as transport:
        return transport.run(["true"], deadline_s=10).returncode


def test_a_board_opens_by_its_pinned_key(board: Board) -> None:
    assert open_and_close(board) == 0


def test_a_board_without_a_pinned_key_opens_by_known_hosts(board: Board, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"[{board.host}]:{board.port} {board.host_keys[0]}\n")
    assert open_and_close(replace(board, host_keys=()), tmp_path / "absent", known) == 0


def test_a_board_may_show_any_of_its_pinned_keys(board: Board) -> None:
    other = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode()
    assert open_and_close(replace(board, host_keys=(other.strip(), *board.host_keys))) == 0


def test_an_unknown_host_key_is_refused_with_the_way_to_accept_it(board: Board) -> None:
    with pytest.raises(HostKeyError, match=WHERE + "its host key is unknown") as caught:
        open_and_close(replace(board, host_keys=()))
    assert "orch fleet trust sim-01" in caught.value.hint


def test_a_changed_host_key_is_refused_with_both_fingerprints(fleet: SimulatedFleet) -> None:
    with pytest.raises(HostKeyError, match=WHERE + "the host key has changed") as caught:
        open_and_close(fleet.boards["sim-02"])
    expected, shown = FINGERPRINT.findall(str(caught.value))
    assert expected != shown


def test_a_pinned_key_wins_over_known_hosts(fleet: SimulatedFleet, tmp_path: Path) -> None:
    board, other = fleet.boards["sim-01"], fleet.boards["sim-02"]
    known = tmp_path / "known_hosts"
    known.write_text(f"[{board.host}]:{board.port} {board.host_keys[0]}\n")
    with pytest.raises(HostKeyError, match="has changed"):
        open_and_close(replace(board, host_keys=other.host_keys), known)


@pytest.mark.parametrize("pinned", ["ssh-ed25519", "ssh-ed25519 not-base64!", "rubbish", ""])
def test_a_pinned_key_that_is_no_key_is_refused(board: Board, pinned: str) -> None:
    with pytest.raises(HostKeyError, match="sim-01: its pinned host_key is not a public key"):
        open_and_close(replace(board, host_keys=(pinned,)))


def test_a_login_with_another_key_is_refused(board: Board, tmp_path: Path) -> None:
    keep_key(tmp_path / "other")
    with pytest.raises(LoginRefused, match=WHERE + "the login was refused") as caught:
        open_and_close(replace(board, identity_file=str(tmp_path / "other")))
    assert "identity_file" in caught.value.hint


def test_a_broken_known_hosts_is_named(board: Board, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"[{board.host}]:{board.port} ssh-ed25519 not-base64!\n")
    with pytest.raises(HostKeyError, match=r"sim-01: .*known_hosts has a line"):
        open_and_close(replace(board, host_keys=()), known)


def test_a_key_file_that_is_missing_is_named(board: Board, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"no identity_file .*absent") as caught:
        open_and_close(replace(board, identity_file=str(tmp_path / "absent")))
    assert "identity_file" in caught.value.hint


def test_a_closed_port_is_no_connection(board: Board) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Unreachable, match=rf"{port}\): no connection: Connection refused"):
        open_and_close(replace(board, port=port))


def test_a_name_that_does_not_resolve_is_no_connection(board: Board) -> None:
    with pytest.raises(Unreachable, match=r"no-such-board\.invalid:\d+\): no connection"):
        open_and_close(replace(board, host="no-such-board.invalid"))


@pytest.mark.timeout(14)  # paramiko's own limits are 15 s and 30 s
@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-silent\r\n", b"220 mail\r\n"])
def test_a_server_that_never_answers_is_given_up_in_time(board: Board, greeting: bytes) -> None:
    with silent_server(greeting) as port, pytest.raises(Unreachable, match="no "):
        open_and_close(replace(board, port=port, connect_timeout_s=1.0))
