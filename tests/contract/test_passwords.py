"""Logging in with a password: from where it comes, and where it never shows."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace

import asyncssh
import pytest

from orchestrator.backends.fabric_connect import FabricConnect, environment_secret
from orchestrator.domain import Board
from orchestrator.errors import ConfigError, LoginRefused, Refused

WORD, WRONG, SOURCE = "s3cr3t", "wr0ng", "env:BOARD_PASSWORD"


class Door(asyncssh.SSHServer):  # type: ignore[misc]  # asyncssh ships no types
    """Takes one password and no key; `lines` are all that were opened."""

    def __init__(self, lines: list[asyncssh.SSHServerConnection]) -> None:
        self._lines = lines

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._lines.append(conn)

    def begin_auth(self, username: str) -> bool:
        return bool(username)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("root", WORD)


@pytest.fixture(scope="module")
def board() -> Iterator[Board]:
    """A board in this process that wants a password."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    up = threading.Event()
    ports: list[int] = []
    loop = asyncio.new_event_loop()

    lines: list[asyncssh.SSHServerConnection] = []

    async def serve() -> None:
        server = await asyncssh.create_server(
            lambda: Door(lines),
            "127.0.0.1",
            0,
            server_host_keys=[key],
            process_factory=lambda it: it.exit(0),
        )
        ports.append(server.sockets[0].getsockname()[1])
        up.set()
        await ended.wait()
        server.close()
        await server.wait_closed()
        for line in lines:
            line.abort()
            await line.wait_closed()

    ended = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert up.wait(20)
    public = " ".join(key.export_public_key().decode().split()[:2])
    yield Board("ax-1", "127.0.0.1", ports[0], "root", (public,), password=SOURCE)
    loop.call_soon_threadsafe(ended.set)
    thread.join(20)
    loop.close()


def open_and_close(board: Board, **secrets: str) -> int:
    known = {f"env:{name}": secret for name, secret in secrets.items()}
    with FabricConnect((), known.__getitem__)(board) as transport:
        return transport.run(["true"], deadline_s=10).returncode


@pytest.mark.usefixtures("ssh_home")
def test_a_password_opens_a_board(board: Board) -> None:
    assert open_and_close(board, BOARD_PASSWORD=WORD) == 0


@pytest.mark.usefixtures("ssh_home")
def test_a_wrong_password_is_refused_and_not_shown(board: Board) -> None:
    with pytest.raises(LoginRefused, match="the password was not accepted") as caught:
        open_and_close(board, BOARD_PASSWORD=WRONG)
    assert SOURCE in caught.value.hint
    shown = [repr(caught.value), caught.value.hint, repr(caught.value.__cause__), repr(board)]
    assert not [text for text in shown if WRONG in text]


@pytest.mark.usefixtures("ssh_home")
def test_without_a_password_the_board_says_what_it_takes(board: Board) -> None:
    with pytest.raises(LoginRefused, match="login was refused"):
        open_and_close(replace(board, password=None))


@pytest.mark.usefixtures("ssh_home")
def test_a_variable_that_is_not_set_stops_that_board_only(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BOARD_PASSWORD", raising=False)
    with pytest.raises(Refused, match="ax-1: BOARD_PASSWORD is not set"), FabricConnect(())(board):
        pytest.fail("it opened")


def test_nobody_is_asked_outside_of_a_command() -> None:
    with pytest.raises(ConfigError, match="nobody can be"):
        environment_secret("prompt")
