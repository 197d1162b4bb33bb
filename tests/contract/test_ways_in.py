"""The ways in to a board: ~/.ssh/config, jump hosts, key files, an agent, commands."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.backends.fabric_connect import FabricConnect
from orchestrator.backends.known_hosts import remember
from orchestrator.domain import Board
from orchestrator.errors import HostKeyError, LoginRefused, Refused, Unreachable

if TYPE_CHECKING:
    from tests.contract.conftest import Server, Servers

pytestmark = pytest.mark.sshd


def open_and_close(board: Board, *known_hosts: Path) -> int:
    with FabricConnect(known_hosts)(board) as transport:
        return transport.run(["true"], deadline_s=10).returncode


@pytest.fixture(scope="module")
def chain(sshd_server: Servers) -> tuple[Server, Server]:
    """Two jump hosts."""
    return sshd_server(), sshd_server()


def known_hosts(folder: Path, *servers: Server) -> Path:
    path = folder / "known_hosts"
    path.write_text("".join(server.known_line() for server in servers))
    return path


def test_a_board_behind_two_jump_hosts_opens(
    chain: tuple[Server, Server], server: Server, ssh_home: Path
) -> None:
    board = server.board(jump=(chain[0].hop, chain[1].hop))
    assert open_and_close(board, known_hosts(ssh_home, *chain)) == 0


def test_an_unknown_key_of_a_jump_host_stops_there_and_names_it(
    chain: tuple[Server, Server], server: Server, ssh_home: Path
) -> None:
    board = server.board(jump=(chain[0].hop, chain[1].hop))
    with pytest.raises(HostKeyError, match=r"ax-1: jump host 127.0.0.1 .*is unknown") as caught:
        open_and_close(board, known_hosts(ssh_home, chain[0]))
    assert str(chain[1].port) in str(caught.value)
    assert "orch fleet trust ax-1" in caught.value.hint


def test_a_jump_host_that_cannot_reach_the_board_is_named_as_such(
    chain: tuple[Server, Server], server: Server, ssh_home: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    board = server.board(jump=(chain[0].hop,), port=port)
    with pytest.raises(Unreachable, match=r"ax-1 .*no way through the jump host: Connect failed"):
        open_and_close(board, known_hosts(ssh_home, chain[0]))


@pytest.mark.timeout(15)
def test_a_silent_board_behind_a_jump_host_is_given_up_in_time(
    chain: tuple[Server, Server], server: Server, ssh_home: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        board = server.board(
            jump=(chain[0].hop,), port=silent.getsockname()[1], connect_timeout_s=1.0
        )
        with pytest.raises(Unreachable, match=r"ax-1 .*nothing came within 1 s"):
            open_and_close(board, known_hosts(ssh_home, chain[0]))


def test_nothing_of_a_connection_is_left_when_it_was_closed(
    chain: tuple[Server, Server], server: Server, ssh_home: Path
) -> None:
    before = set(threading.enumerate())
    board = server.board(jump=(chain[0].hop, chain[1].hop))
    open_and_close(board, known_hosts(ssh_home, *chain))
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(timeout=5)
    assert not [thread for thread in left if thread.is_alive()]


def test_each_step_shows_its_keys_and_lets_on_once_they_are_kept(
    chain: tuple[Server, Server], server: Server, ssh_home: Path
) -> None:
    file = ssh_home / "kept"
    connect = FabricConnect((file,))
    board = replace(server.board(jump=(chain[0].hop, chain[1].hop)), host_keys=())
    shown = []
    for offer in connect.offers(board):
        assert not offer.known
        shown.append({key.kind: key.line for key in offer.keys})
        remember(offer.step.key_name, offer.keys, file)
    assert [sorted(keys) for keys in shown] == [
        ["ecdsa-sha2-nistp256", "ssh-ed25519", "ssh-rsa"]
    ] * 3
    assert [keys["ssh-ed25519"] for keys in shown] == [one.public_key() for one in (*chain, server)]
    assert open_and_close(board, file) == 0


def test_a_step_that_was_not_accepted_lets_nobody_on(
    chain: tuple[Server, Server], server: Server, ssh_home: Path
) -> None:
    offers = FabricConnect((ssh_home / "kept",)).offers(server.board(jump=(chain[0].hop,)))
    next(offers)
    with pytest.raises(HostKeyError, match="jump host"):
        next(offers)


def test_what_the_inventory_leaves_open_comes_from_the_ssh_config(
    chain: tuple[Server, Server], server: Server, ssh_home: Path
) -> None:
    user = server.board().user
    (ssh_home / "config").write_text(
        f"Host ax\n  HostName 127.0.0.1\n  Port {server.port}\n  User {user}\n"
        f"  IdentityFile {server.client}\n  ProxyJump gate\n"
        f"Host gate\n  HostName 127.0.0.1\n  Port {chain[0].port}\n  User {user}\n"
        f"  IdentityFile {server.client}\n"
    )
    board = server.board(host="ax", port=0, user="", identity_file=None, host_keys=())
    assert open_and_close(board, known_hosts(ssh_home, chain[0], server)) == 0


def test_what_the_inventory_says_wins_over_the_ssh_config(server: Server, ssh_home: Path) -> None:
    (ssh_home / "config").write_text(
        "Host 127.0.0.1\n  Port 9\n  User nobody\n  IdentityFile /absent\n  ProxyJump nowhere\n"
    )
    assert open_and_close(server.board(jump=("none",))) == 0


def test_a_jump_host_for_all_hosts_is_not_gone_through_twice(
    chain: tuple[Server, Server], server: Server, ssh_home: Path
) -> None:
    (ssh_home / "config").write_text(f"Host *\n  ProxyJump {chain[0].hop}\n")
    board = server.board(host="localhost")
    file = ssh_home / "known"
    file.write_text(chain[0].known_line())
    assert open_and_close(board, file) == 0


def test_a_circle_of_jump_hosts_is_found(server: Server, ssh_home: Path) -> None:
    (ssh_home / "config").write_text("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    with pytest.raises(Refused, match=r"ax-1: its way has more than 8 jump hosts") as caught:
        open_and_close(server.board(jump=("a",)))
    assert "ProxyJump" in caught.value.hint


def test_a_jump_host_that_is_none_is_said_as_such(server: Server, ssh_home: Path) -> None:
    assert ssh_home.exists()
    with pytest.raises(Refused, match="ax-1: not a jump host: 'two words'"):
        open_and_close(server.board(jump=("two words",)))


def test_a_proxy_command_carries_the_connection_and_ends_with_it(
    server: Server, ssh_home: Path
) -> None:
    relay = ssh_home / "relay.py"
    relay.write_text(RELAY)
    pid = ssh_home / "pid"
    (ssh_home / "config").write_text(
        f"Host ax\n  HostName 127.0.0.1\n  ProxyCommand {sys.executable} {relay} {pid} %h %p\n"
    )
    assert open_and_close(server.board(host="ax")) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


RELAY = """
import os, pathlib, socket, sys, threading
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
line = socket.create_connection((sys.argv[2], int(sys.argv[3])))
def inward():
    while data := line.recv(65536):
        os.write(1, data)
threading.Thread(target=inward, daemon=True).start()
while data := os.read(0, 65536):
    line.sendall(data)
"""


@pytest.mark.parametrize("known", ["ed25519", "ecdsa", "rsa"])
def test_a_board_of_which_one_key_type_is_known_shows_that_one(
    server: Server, ssh_home: Path, known: str
) -> None:
    assert ssh_home.exists()
    assert open_and_close(server.board(host_keys=(server.public_key(known),))) == 0


@contextmanager
def agent(folder: Path) -> Iterator[str]:
    path = str(folder / "agent")
    with subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()  # it says where it listens once it does
        try:
            yield path
        finally:
            process.terminate()


def test_an_encrypted_key_file_is_named_until_the_agent_has_it(
    server: Server, ssh_home: Path, monkeypatch: pytest.MonkeyPatch, make_key: Callable[..., Path]
) -> None:
    copy = ssh_home / "locked"
    copy.write_bytes(server.client.read_bytes())
    copy.chmod(0o600)
    (ssh_home / "locked.pub").write_bytes(Path(f"{server.client}.pub").read_bytes())
    lock = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", str(copy)]
    subprocess.run(lock, check=True, timeout=20, stdout=subprocess.DEVNULL)
    board = server.board(identity_file=str(copy))

    with pytest.raises(LoginRefused, match=rf"login was refused.*{copy} is encrypted") as caught:
        open_and_close(board)
    assert caught.value.hint == f"load it into ssh-agent: ssh-add {copy}"

    other = make_key(ssh_home / "other", "ed25519")
    with agent(ssh_home) as path:
        monkeypatch.setenv("SSH_AUTH_SOCK", path)
        for key in (other, server.client):
            subprocess.run(["ssh-add", "-q", str(key)], check=True, timeout=20)
        assert open_and_close(board) == 0


def test_a_key_that_is_not_taken_is_counted(
    server: Server, ssh_home: Path, make_key: Callable[..., Path]
) -> None:
    other = make_key(ssh_home / "other", "rsa")
    with pytest.raises(LoginRefused, match="login was refused: 1 key tried") as caught:
        open_and_close(server.board(identity_file=str(other)))
    assert "identity_file" in caught.value.hint


def test_a_file_that_is_no_key_is_named(server: Server, ssh_home: Path) -> None:
    rubbish = ssh_home / "rubbish"
    rubbish.write_text("not a key")
    with pytest.raises(LoginRefused, match=rf"0 keys tried; {rubbish} was not read"):
        open_and_close(server.board(identity_file=str(rubbish)))


def test_the_usual_key_files_are_tried_when_none_is_named(server: Server, ssh_home: Path) -> None:
    (ssh_home / "id_ed25519").write_bytes(server.client.read_bytes())
    assert open_and_close(server.board(identity_file=None)) == 0
