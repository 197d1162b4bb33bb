"""`orch fleet trust`: look at the host keys on the way to boards, and accept them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import (
    ExcludeOption,
    InventoryOption,
    JsonOption,
    LimitOption,
    select_boards,
)

if TYPE_CHECKING:
    from orchestrator.backends.fabric_connect import FabricConnect, Offer
    from orchestrator.domain import Board
    from orchestrator.wiring import Workplace


@dataclass(frozen=True, slots=True)
class Trusted:
    """What came of one server: `known`, `kept`, `not kept`, `pinned otherwise`, `failed`."""

    board: str
    server: str
    state: str
    keys: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where keys are fetched, asked for and kept."""

    connect: FabricConnect
    known_hosts: Path
    yes: bool


def trust(
    boards: Annotated[
        list[str] | None, typer.Argument(help="Boards from the inventory.", show_default=False)
    ] = None,
    fleet: Annotated[
        str | None, typer.Option("--fleet", "-f", help="All boards of a fleet.")
    ] = None,
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Accept what is shown; only on a network you trust.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show the host keys that boards and their jump hosts offer, and keep them if you say so."""
    from orchestrator.cli.console import print_json
    from orchestrator.cli.secrets import ask_for_secrets
    from orchestrator.hashing import as_json
    from orchestrator.wiring import make_connect, open_workplace

    place = open_workplace(inventory)
    asked = _asked(place, boards or (), fleet, limit, exclude)
    desk = _Desk(make_connect(place, ask_for_secrets(asked)), place.home / "known_hosts", yes)
    found = [one for board in asked for one in _trust_way(board, desk)]
    if json:
        print_json(as_json(found))
    else:
        for one in found:
            typer.echo(f"{one.server}: {one.state}")
        if any(one.state == "kept" for one in found):
            typer.echo(f"kept in {desk.known_hosts}")
    raise typer.Exit(0 if all(one.state in {"known", "kept"} for one in found) else 1)


def _asked(
    place: Workplace,
    names: Sequence[str],
    fleet: str | None,
    limit: str | None,
    exclude: str | None,
) -> list[Board]:
    from orchestrator.errors import ConfigError

    if (not names) == (fleet is None):
        raise ConfigError("whose host keys?", "name boards, or a fleet with --fleet")
    if fleet is None:
        boards = [place.inventory.board(name) for name in names]
        if simulated := [board.name for board in boards if board.simulated]:
            raise ConfigError(
                f"{', '.join(simulated)}: simulated boards are pinned when they are started"
            )
        return boards
    chosen = select_boards(place, fleet, limit, exclude)
    return [board for board in chosen.boards if not board.simulated]


def _trust_way(board: Board, desk: _Desk) -> list[Trusted]:
    """Go from server to server; one that is not trusted ends the way."""
    from orchestrator.errors import OrchError

    found: list[Trusted] = []
    try:
        for offer in desk.connect.offers(board):
            state = _settle(offer, desk)
            keys, prints = zip(*((key.line, key.fingerprint) for key in offer.keys), strict=True)
            found.append(Trusted(board.name, offer.step.label, state, keys, prints))
            if state not in {"known", "kept"}:
                break
    except OrchError as error:
        _say(f"error: {error}", f"hint:  {error.hint}" if error.hint else "")
        found.append(Trusted(board.name, board.name, "failed", error=str(error)))
    return found


def _settle(offer: Offer, desk: _Desk) -> str:
    """Say what became of one server's keys; ask where they are new."""
    from orchestrator.backends.known_hosts import remember

    step, new = offer.step, [key for key in offer.keys if key not in offer.known]
    # A jump host has to be passed, no more; of the board itself every type is worth keeping.
    if not new or (len(new) < len(offer.keys) and (step.host_keys or not offer.is_last)):
        return "known"
    _say(f"{step.label} shows", *(f"  {key.kind:<20} {key.fingerprint}" for key in offer.keys))
    kinds = {key.kind for key in new}
    for old in offer.known:
        if old.kind in kinds and old not in offer.keys:
            _say(f"  CHANGED: known was {old.kind} {old.fingerprint}")
    if step.host_keys:
        _say("the inventory pins another key; correct its host_key to one of these:")
        _say(*(f"  host_key: {key.line}" for key in offer.keys))
        return "pinned otherwise"
    _say("compare with what it says itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
    if not desk.yes and not typer.confirm("keep them?", default=False, err=True):
        return "not kept"
    remember(step.key_name, offer.keys, desk.known_hosts)
    return "kept"


def _say(*lines: str) -> None:
    for line in filter(None, lines):
        typer.echo(line, err=True)
