"""`env:NAME` → what the environment says, when a board is about to be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.domain import Board
from orchestrator.inventory.boards import Listed, place_of
from orchestrator.inventory.values import ENV
from orchestrator.yaml_file import YamlFile


def resolved(file: YamlFile, one: Listed, environment: Mapping[str, str]) -> Board:
    """Give the board with every `env:NAME` filled in.

    Passwords stay references, which whoever logs in follows, and are only seen to be there.

    Raises:
        ConfigError: a variable is not set or empty, with file, line and key.
    """
    board = one.board
    texts = (board.host, board.user, board.identity_file, board.password, board.sudo_password)
    if not any(text and text.startswith(ENV) for text in (*texts, *board.jump)):
        return board

    def value(key: str, text: str) -> str:
        if not text.startswith(ENV):
            return text
        name = text.removeprefix(ENV)
        if not environment.get(name):
            raise file.error(
                place_of(file, one, key),
                f"the environment variable {name} is not set, and board {board.name} needs it",
                f"export {name}=…",
            )
        return environment[name]

    for key, text in (("password", board.password), ("sudo_password", board.sudo_password)):
        value(key, text or "")
    return replace(
        board,
        host=value("host", board.host),
        user=value("user", board.user),
        identity_file=value("identity_file", board.identity_file or "") or None,
        jump=tuple(value("jump", hop) for hop in board.jump),
    )
