"""Which host keys let a connection go on: what OpenSSH's known_hosts says, line by line."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.backends.fabric_connect import FabricConnect
from orchestrator.domain import Board
from orchestrator.errors import HostKeyError

if TYPE_CHECKING:
    from tests.contract.conftest import Server

pytestmark = [pytest.mark.sshd, pytest.mark.usefixtures("ssh_home")]


@pytest.fixture
def stranger(tmp_path: Path, make_key: Callable[..., Path]) -> str:
    """The public key of somebody else."""
    key = make_key(tmp_path / "stranger", "ed25519")
    return " ".join(Path(f"{key}.pub").read_text().split()[:2])


@pytest.fixture
def known(tmp_path: Path) -> Path:
    return tmp_path / "known"


def open_and_close(board: Board, *known_hosts: Path) -> int:
    with FabricConnect(known_hosts)(board) as transport:
        return transport.run(["true"], deadline_s=10).returncode


def fingerprint(folder: Path, public_key: str) -> str:
    (folder / "a.pub").write_text(public_key)
    argv = ["ssh-keygen", "-lf", str(folder / "a.pub")]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=20).stdout
    return said.split()[1]


def test_of_two_pinned_keys_of_one_type_either_may_be_shown(server: Server, stranger: str) -> None:
    ours = server.public_key()
    assert open_and_close(server.board(host_keys=(ours, stranger))) == 0
    assert open_and_close(server.board(host_keys=(stranger, ours))) == 0


def test_of_two_known_keys_of_one_type_either_may_be_shown(
    server: Server, stranger: str, known: Path
) -> None:
    known.write_text(f"[127.0.0.1]:{server.port} {stranger}\n{server.known_line()}")
    assert open_and_close(server.board(host_keys=()), known) == 0
    known.write_text(f"{server.known_line()}[127.0.0.1]:{server.port} {stranger}\n")
    assert open_and_close(server.board(host_keys=()), known) == 0


def test_hashed_names_are_known(server: Server, known: Path) -> None:
    known.write_text(server.known_line())
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=True, timeout=20)
    assert known.read_text().startswith("|1|")
    assert open_and_close(server.board(host_keys=()), known) == 0


def test_a_certificate_authority_is_passed_over(server: Server, stranger: str, known: Path) -> None:
    authority = f"@cert-authority * {stranger}\n"
    known.write_text(authority + server.known_line())
    assert open_and_close(server.board(host_keys=()), known) == 0
    known.write_text(authority)
    with pytest.raises(HostKeyError, match="its host key is unknown"):
        open_and_close(server.board(host_keys=()), known)


@pytest.mark.parametrize("pinned", [True, False])
def test_a_revoked_key_is_refused_even_where_it_is_pinned(
    server: Server, known: Path, *, pinned: bool
) -> None:
    known.write_text(server.known_line() + "@revoked * " + server.public_key() + "\n")
    keys = (server.public_key(),) if pinned else ()
    with pytest.raises(HostKeyError, match="showed a revoked host key: ssh-ed25519 SHA256:"):
        open_and_close(server.board(host_keys=keys), known)


def test_a_changed_key_is_shown_as_ssh_keygen_would_with_the_one_before(
    server: Server, stranger: str, known: Path, tmp_path: Path
) -> None:
    known.write_text(f"[127.0.0.1]:{server.port} {stranger}\n")
    with pytest.raises(HostKeyError) as caught:
        open_and_close(server.board(host_keys=()), known)
    old, new = fingerprint(tmp_path, stranger), fingerprint(tmp_path, server.public_key())
    assert re.search(f"expected {re.escape(old)}, was shown {re.escape(new)}", str(caught.value))


def test_an_unknown_key_is_shown_with_its_fingerprint(server: Server, tmp_path: Path) -> None:
    with pytest.raises(HostKeyError) as caught:
        open_and_close(server.board(host_keys=()))
    assert fingerprint(tmp_path, server.public_key()) in str(caught.value)
