"""Passwords that somebody has to type: asked for once, before any board is begun with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from orchestrator.domain import Board

_PROMPT = "prompt"
_NAMED = 4


def ask_for_secrets(boards: Sequence[Board]) -> Callable[[str], str]:
    """Give what finds passwords; one that is `prompt` is asked for here, for all its boards.

    Raises:
        ConfigError: somebody is to be asked, and there is no terminal; a variable is not set.
    """
    from orchestrator.backends.fabric_connect import environment_secret

    real = [board for board in boards if not board.simulated]
    asking = [one.name for one in real if _PROMPT in (one.password, one.sudo_password)]
    if not asking:
        return environment_secret
    typed = _ask(asking)
    return lambda source: typed if source == _PROMPT else environment_secret(source)


def _ask(boards: Sequence[str]) -> str:
    from orchestrator.errors import ConfigError

    shown = ", ".join(boards[:_NAMED]) + (", …" if len(boards) > _NAMED else "")
    of = f"{shown} ({len(boards)} boards)" if len(boards) > 1 else shown
    if not sys.stdin.isatty():
        raise ConfigError(
            f"the password of {of} is to be asked for, and there is no terminal",
            "take it from the environment: password: env:NAME",
        )
    return str(typer.prompt(f"password of {of}", hide_input=True, err=True))
