"""`orch fleet trust` on OpenSSH servers, and passwords that are typed."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.contract.conftest import Server, Servers

pytestmark = [pytest.mark.sshd, pytest.mark.slow]
ORCH = Path(sys.executable).with_name("orch")
Orch = Callable[..., tuple[int, str, str]]


@pytest.fixture
def orch(tmp_path: Path, ssh_home: Path) -> Orch:
    """Give what runs orch in a folder and a home of its own."""

    def run(*argv: str, answer: str = "") -> tuple[int, str, str]:
        done = subprocess.run(
            [str(ORCH), *argv],
            cwd=tmp_path,
            env=os.environ | {"HOME": str(ssh_home.parent)},
            input=answer,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def write_inventory(folder: Path, *boards: str) -> None:
    entries = "".join(f"  {board}\n" for board in boards)
    names = ", ".join(board.split(":")[0] for board in boards)
    text = f"boards:\n{entries}fleets:\n  all: {{boards: [{names}]}}\n"
    (folder / "inventory.yaml").write_text(text)


def entry(name: str, server: Server, **more: str) -> str:
    fields = {"host": "127.0.0.1", "port": str(server.port), "user": server.board().user, **more}
    return f"{name}: {{{', '.join(f'{key}: {value}' for key, value in fields.items())}}}"


def test_all_keys_of_all_servers_on_the_way_are_shown_and_kept(
    tmp_path: Path, sshd_server: Servers, server: Server, orch: Orch
) -> None:
    hop = sshd_server()
    login = {"identity_file": str(server.client), "jump": hop.hop}
    write_inventory(tmp_path, entry("b1", server, **login))

    code, out, err = orch("fleet", "trust", "--fleet", "all", "--json", answer="y\ny\n")

    assert code == 0, err
    first, last = json.loads(out)
    assert (first["state"], last["state"]) == ("kept", "kept")
    assert "jump host" in first["server"]
    assert last["keys"] == [server.public_key(kind) for kind in ("ed25519", "ecdsa", "rsa")]
    for fingerprint in (*first["fingerprints"], *last["fingerprints"]):
        assert fingerprint in err
    known = (tmp_path / ".orch" / "known_hosts").read_text()
    assert known.count(f"[127.0.0.1]:{hop.port} ") == known.count(f":{server.port} ") == 3

    code, out, _ = orch("fleet", "trust", "b1", "--json")
    assert code == 0
    assert [one["state"] for one in json.loads(out)] == ["known", "known"]


def test_one_board_that_is_off_does_not_stop_the_others(
    tmp_path: Path, server: Server, orch: Orch
) -> None:
    write_inventory(tmp_path, "b0: {host: 127.0.0.1, port: 9}", entry("b1", server))

    code, out, err = orch("fleet", "trust", "--fleet", "all", "--yes")

    assert code == 1
    assert "b0: failed" in out
    assert "Connection refused" in err
    assert f"b1 ({server.hop}): kept" in out


def test_a_key_that_was_changed_is_shown_beside_the_one_that_was_known(
    tmp_path: Path, sshd_server: Servers, server: Server, orch: Orch
) -> None:
    write_inventory(tmp_path, entry("b1", server))
    known = tmp_path / ".orch" / "known_hosts"
    known.parent.mkdir()
    before = f"[127.0.0.1]:{server.port} {sshd_server().public_key()}\n"
    known.write_text(before)

    code, out, err = orch("fleet", "trust", "b1", answer="n\n")

    assert code == 1
    assert "not kept" in out
    assert err.count("SHA256:") == 4
    assert "CHANGED: known was ssh-ed25519 SHA256:" in err
    assert known.read_text() == before
    assert orch("fleet", "trust", "b1", answer="y\n")[0] == 0
    assert orch("fleet", "trust", "b1")[1].startswith(f"b1 ({server.hop}): known")


def test_whose_keys_must_be_said(tmp_path: Path, server: Server, orch: Orch) -> None:
    write_inventory(tmp_path, entry("b1", server))
    assert orch("fleet", "trust")[0] == 2
    assert orch("fleet", "trust", "b1", "--fleet", "all")[0] == 2


@pytest.fixture
def wants_password(tmp_path: Path, server: Server) -> None:
    """An inventory of two boards whose password somebody has to type."""
    pinned = {"host_key": server.public_key(), "password": "prompt", "connect_timeout_s": "5.0"}
    write_inventory(
        tmp_path,
        entry("b1", server, **pinned),
        entry("b2", server, **pinned).replace("127.0.0.1", "localhost"),
    )


@pytest.mark.usefixtures("wants_password")
def test_without_a_terminal_nobody_is_asked_for_a_password(orch: Orch) -> None:
    code, out, err = orch("fleet", "check", "--fleet", "all")
    assert (code, out) == (2, "")
    assert "the password of b1, b2 (2 boards) is to be asked for, and there is no terminal" in err
    assert "env:NAME" in err


@pytest.mark.usefixtures("wants_password")
def test_a_password_is_asked_for_once_and_never_shown(tmp_path: Path, ssh_home: Path) -> None:
    said = on_terminal(tmp_path, ssh_home.parent, ["fleet", "check", "--fleet", "all"], "s3cr3t")

    assert said.count("password of b1, b2 (2 boards)") == 1
    assert said.count("failed: LOGIN") == 2
    assert "s3cr3t" not in said
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in kept if b"s3cr3t" in path.read_bytes()]


def on_terminal(folder: Path, home: Path, argv: list[str], typed: str) -> str:
    """Run orch on a terminal of its own and type a line once it asks; give all that it said."""
    ours, its = pty.openpty()
    with subprocess.Popen(
        [str(ORCH), *argv],
        cwd=folder,
        env=os.environ | {"HOME": str(home), "COLUMNS": "200"},
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    ) as process:
        os.close(its)
        said = b""
        try:
            # What is typed before the echo is turned off is thrown away with what was typed before.
            while b"boards)" not in said or termios.tcgetattr(ours)[3] & termios.ECHO:
                if select.select([ours], [], [], 0.05)[0]:
                    said += os.read(ours, 4096)
            os.write(ours, f"{typed}\n".encode())
            while chunk := os.read(ours, 4096):
                said += chunk
        except OSError:
            pass  # how a terminal ends whose last program has left it
        assert process.wait(60) in {0, 1}, said
    os.close(ours)
    return said.decode()
