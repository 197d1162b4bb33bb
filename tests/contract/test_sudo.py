"""Boards where the login is not root: sudo, with and without a password, and when it says no."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.backends.fabric_connect import FabricConnect
from orchestrator.domain import Board, CommandResult
from orchestrator.errors import BoardError, Refused

if TYPE_CHECKING:
    from tests.contract.conftest import Server, Servers

RIGHT, WRONG = "env:RIGHT", "env:WRONG"
WORD = "s3cr3t, 'with' $pecial characters"
#: Does what sudo does with -k, -n, -S and -p ''. `mode` is the password, or what is wrong.
SUDO = r"""#!/bin/sh
here=${0%/*}
mode=$(cat "$here/mode")
printf '%s\n' "$*" >> "$here/argv"
ask=yes
while :; do
  case $1 in -n) ask=no;; -p) shift;; -*) ;; *) break;; esac
  shift
done
case $mode in
  no-tty) echo "sudo: sorry, you must have a tty to run sudo" >&2; exit 1;;
  stranger) echo "axera is not in the sudoers file." >&2; exit 1;;
  open) exec "$@";;
esac
if [ $ask = no ]; then echo "sudo: a password is required" >&2; exit 1; fi
tries=0
while [ $tries -lt 3 ] && IFS= read -r given; do
  printf '%s\n' "$given" >> "$here/given"
  [ "$given" = "$mode" ] && exec "$@"
  echo "Sorry, try again." >&2
  tries=$((tries + 1))
done
echo "sudo: $tries incorrect password attempt" >&2
exit 1
"""


@pytest.fixture(scope="module")
def sudo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a program that is called sudo."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "sudo").write_text(SUDO)
    (folder / "sudo").chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def machine(sshd_server: Servers, sudo: Path) -> Server:
    return sshd_server(environment=f"PATH={sudo}:/usr/bin:/bin")


@pytest.fixture
def mode(sudo: Path) -> Callable[[str], None]:
    """Give what sets the password of sudo, or what is wrong with it."""

    def set_mode(mode: str) -> None:
        (sudo / "mode").write_text(mode)
        for name in ("argv", "given"):
            (sudo / name).write_text("")

    return set_mode


def run(board: Board, request: bytes = b"the request\n") -> CommandResult:
    connect = FabricConnect((), {RIGHT: WORD, WRONG: "wrong"}.__getitem__)
    with connect(board) as transport:
        return transport.run(["cat"], request, deadline_s=20)


def board_of(server: Server, source: str | None = RIGHT) -> Board:
    return server.board(sudo=True, sudo_password=source)


pytestmark = [pytest.mark.usefixtures("ssh_home")]


@pytest.mark.sshd
@pytest.mark.parametrize("password", [WORD, "open"])
def test_a_command_reads_its_input_whether_sudo_asks_or_not(
    machine: Server, mode: Callable[[str], None], password: str
) -> None:
    mode(password)
    request = bytes(range(256)) * 1000
    assert run(board_of(machine), request).stdout == request


@pytest.mark.sshd
def test_the_password_is_never_an_argument(
    machine: Server, mode: Callable[[str], None], sudo: Path
) -> None:
    mode(WORD)
    run(board_of(machine))
    assert "cat" in (sudo / "argv").read_text()
    assert "s3cr3t" not in (sudo / "argv").read_text()
    assert set((sudo / "given").read_text().splitlines()) == {WORD}


@pytest.mark.sshd
def test_files_and_held_commands_go_through_sudo_too(
    machine: Server, mode: Callable[[str], None], sudo: Path, tmp_path: Path
) -> None:
    mode(WORD)
    blob, place = tmp_path / "blob", tmp_path / "there"
    blob.write_bytes(b"0123456789")
    connect = FabricConnect((), {RIGHT: WORD}.__getitem__)
    with connect(board_of(machine)) as transport:
        assert transport.put(blob, str(place), deadline_s=20) == 10
        assert transport.put(blob, str(place), 4, deadline_s=20) == 6
        assert transport.get(str(place), 100, deadline_s=20) == b"0123456789"
        with transport.hold(
            ["cat"], b"echoed", until=lambda said: said == b"echoed", deadline_s=20
        ) as said:
            assert said == b"echoed"
    # Three for the files, one for the held command; one to find out, one to try the password.
    assert len((sudo / "argv").read_text().splitlines()) == 4 + 2


@pytest.mark.sshd
def test_a_wrong_password_is_tried_once_and_the_request_is_not_taken_for_one(
    machine: Server, mode: Callable[[str], None], sudo: Path
) -> None:
    mode(WORD)
    with pytest.raises(Refused, match="ax-1: sudo said no: 1 incorrect password") as caught:
        run(board_of(machine, WRONG))
    assert "sudo_password" in caught.value.hint
    assert (sudo / "given").read_text() == "wrong\n"


@pytest.mark.sshd
@pytest.mark.parametrize(
    ("wrong", "source", "reason", "hint"),
    [
        ("no-tty", None, "you must have a tty", "!requiretty"),
        ("stranger", RIGHT, "is not in the sudoers file", "NOPASSWD"),
        (WORD, None, "a password is required", "sudo_password: env:NAME"),
    ],
)
def test_what_sudo_says_against_it_is_said_with_what_to_try(
    machine: Server,
    mode: Callable[[str], None],
    wrong: str,
    source: str | None,
    reason: str,
    hint: str,
) -> None:
    mode(wrong)
    with pytest.raises(Refused, match=f"ax-1: sudo said no: .*{reason}") as caught:
        run(board_of(machine, source))
    assert hint in caught.value.hint


@pytest.mark.sshd
def test_a_board_without_sudo_is_said_to_have_none(
    sshd_server: Servers, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bare = sshd_server(environment=f"PATH={tmp_path_factory.mktemp('bare')}")
    with pytest.raises(Refused, match="ax-1: it has no sudo"):
        run(board_of(bare))


@pytest.mark.sshd
def test_no_error_shows_the_password(machine: Server, mode: Callable[[str], None]) -> None:
    mode("another password")
    with pytest.raises(Refused) as caught:
        run(board_of(machine))
    shown = [repr(caught.value), caught.value.hint, repr(caught.value.__cause__)]
    assert not [text for text in shown if "s3cr3t" in text]


@pytest.mark.docker
def test_a_real_sudo_says_no_to_a_wrong_password_and_does_nothing(
    board_container: Callable[[str], AbstractContextManager[Board]],
) -> None:
    with board_container("pyramid") as board:
        wrong = replace(board, sudo_password=WRONG)
        with pytest.raises(Refused, match="sudo said no: 1 incorrect password attempt"):
            run(wrong)
        with pytest.raises(BoardError, match="sudo said no: a password is required"):
            run(replace(board, sudo_password=None))
