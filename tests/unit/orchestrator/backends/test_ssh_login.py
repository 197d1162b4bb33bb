from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import paramiko
import pytest

from orchestrator.backends.ssh_login import Login
from orchestrator.backends.ssh_way import way_to
from orchestrator.domain import Board
from orchestrator.errors import LoginRefused, Refused
from orchestrator.fleet.retries import Retries

BOARD = Board("b1", "192.0.2.1", 22, "root")


@dataclass
class Server:
    """Refuses keys until it has seen `patience` of them, then hangs up; or at the password."""

    patience: int
    keeps_on_for_password: bool = True
    active: bool = True
    seen: list[str] = field(default_factory=list)

    def is_active(self) -> bool:
        return self.active

    def auth_publickey(self, _user: str, _key: paramiko.PKey) -> list[str]:
        self.seen.append("key")
        self.active = len(self.seen) < self.patience
        raise paramiko.AuthenticationException

    def auth_password(self, _user: str, _password: str) -> list[str]:
        self.seen.append("password")
        self.active = self.keeps_on_for_password
        raise paramiko.AuthenticationException


def log_in(server: Server, board: Board) -> None:
    (step,) = way_to(board)
    Login(step, lambda _: "a word").authenticate(cast("paramiko.Transport", server))


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Board]:
    """A board that can be logged in to with one key, and what else is said."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    key = tmp_path / "key"
    paramiko.ECDSAKey.generate().write_private_key_file(str(key))

    def make(*, asks: bool = False) -> Board:
        return replace(BOARD, identity_file=str(key), password="env:WORD" if asks else None)

    return make


def test_a_server_that_says_no_has_refused_the_login(board: Callable[..., Board]) -> None:
    with pytest.raises(LoginRefused, match="1 key tried") as caught:
        log_in(Server(patience=9), board())
    assert caught.value.code == "LOGIN"
    assert Retries(8).take("b1", caught.value.code) is None


def test_a_line_that_goes_before_any_answer_is_no_refusal(board: Callable[..., Board]) -> None:
    with pytest.raises(EOFError):
        log_in(Server(patience=1), board())


def test_a_line_that_goes_at_the_password_is_no_refusal(board: Callable[..., Board]) -> None:
    with pytest.raises(EOFError):
        log_in(Server(9, keeps_on_for_password=False), board(asks=True))
    with pytest.raises(LoginRefused, match="the password was not accepted"):
        log_in(Server(9), board(asks=True))


def test_a_key_file_that_is_missing_is_said_before_anything_is_tried(
    board: Callable[..., Board],
) -> None:
    server = Server(9)
    with pytest.raises(Refused, match=r"there is no identity_file .*absent"):
        log_in(server, replace(board(), identity_file="/absent"))
    assert server.seen == []
