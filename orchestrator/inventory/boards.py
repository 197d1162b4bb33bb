"""Entries of `boards` → boards: ranges are written out, what an entry leaves open is filled in."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.domain import Board, PowerHook
from orchestrator.errors import ConfigError
from orchestrator.inventory.file import BoardEntry, InventoryFile, PowerEntry, WayIn
from orchestrator.name_ranges import expand, is_range
from orchestrator.yaml_file import Place, YamlFile

_SSH_PORT = 22
_SHOWN = 12
_NOTHING = WayIn()
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Listed:
    """A board and the keys of `boards` that describe it, its own before the range it is in."""

    board: Board
    entries: tuple[str, ...]


def read_boards(file: YamlFile, parsed: InventoryFile) -> dict[str, Listed]:
    """Give all boards by name, in the order of the file. Raises ConfigError with file and line."""
    entries = _entries(file, parsed.boards)
    hosts = {key: _hosts(file, key, entry) for key, entry in parsed.boards.items()}
    listed = {}
    for name, keys in entries.items():
        host = next((hosts[key][name] for key in keys if name in hosts[key]), None)
        listed[name] = Listed(_board(file, name, host, keys, parsed), tuple(keys))
    refuse_shared_addresses(file, listed.values())
    return listed


def place_of(file: YamlFile, one: Listed, key: str) -> Place:
    """Say where a board's value stands: with the board, its site, or the defaults."""
    places: list[Place] = [("boards", entry, key) for entry in one.entries]
    places += [("sites", one.board.site, key), ("defaults", key)]
    return next((place for place in places if place in file.lines), places[0])


def refuse_shared_addresses(file: YamlFile, listed: Iterable[Listed]) -> None:
    """Refuse two boards with one address behind the same jump hosts. Raises ConfigError."""
    seen: dict[tuple[object, ...], str] = {}
    for one in listed:
        board = one.board
        if board.simulated:
            continue
        address = (board.host.lower(), board.port or _SSH_PORT, board.jump)
        if address in seen:
            raise file.error(
                ("boards", one.entries[0], "host"),
                f"{board.host}:{address[1]} is already board {seen[address]!r}"
                + (f", and here {board.name!r}" if is_range(one.entries[0]) else ""),
                "one device is one board: delete one of the two, or correct its host or port",
            )
        seen[address] = board.name


def unknown(
    file: YamlFile, place: Place, kind: str, name: str, known: Iterable[str]
) -> ConfigError:
    """Make the error for a name that is not in the file."""
    return file.error(place, f"no {kind} named {name!r}", hint_for(kind, name, known))


def hint_for(kind: str, name: str, known: Iterable[str]) -> str:
    """Give the name that may have been meant, else the names that there are."""
    names = sorted(known)
    if near := difflib.get_close_matches(name, names, n=1):
        return f"did you mean {near[0]!r}?"
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    plural = "switches" if kind == "switch" else f"{kind}s"
    return f"known {plural}: {', '.join(names[:_SHOWN])}{more}"


def _entries(file: YamlFile, boards: Mapping[str, BoardEntry]) -> dict[str, list[str]]:
    """Give for each board the keys that describe it: its own name first, then the range."""
    entries: dict[str, list[str]] = {}
    for key in boards:
        for name in spelled_out(file, ("boards", key), key):
            keys = entries.setdefault(name, [])
            if is_range(key) and any(is_range(other) for other in keys):
                raise file.error(
                    ("boards", key), f"board {name!r} is in {keys[-1]!r} too", "shorten one range"
                )
            keys.insert(len(keys) if is_range(key) else 0, key)
    return entries


def spelled_out(file: YamlFile, place: Place, text: str) -> tuple[str, ...]:
    """Expand a range. Raises ConfigError for one that cannot be read."""
    try:
        return expand(text)
    except ValueError as error:
        raise file.error(place, str(error)) from None


def _hosts(file: YamlFile, key: str, entry: BoardEntry) -> dict[str, str]:
    """Pair the names of an entry with its hosts."""
    if entry.host is None:
        return {}
    place: Place = ("boards", key, "host")
    names, hosts = expand(key), spelled_out(file, place, entry.host)
    if len(names) != len(hosts):
        raise file.error(
            place,
            f"{len(names)} boards and {len(hosts)} hosts: {key} and {entry.host}",
            "names and hosts are paired one by one: make the ranges equally long",
        )
    return dict(zip(names, hosts, strict=True))


def _board(
    file: YamlFile, name: str, host: str | None, keys: list[str], parsed: InventoryFile
) -> Board:
    entries = [parsed.boards[key] for key in keys]
    site = _first((*(one.site for one in entries), parsed.defaults.site), "default")
    levels: list[WayIn] = [*entries, parsed.sites.get(site, _NOTHING), parsed.defaults]

    def said(value_of: Callable[[WayIn], Value | None], otherwise: Value) -> Value:
        return _first(map(value_of, levels), otherwise)

    switch = said(lambda one: one.switch, "")
    _known(file, keys, "site", site, ("default", *parsed.sites) if parsed.sites else ())
    _known(file, keys, "switch", switch, ("", *parsed.switches) if parsed.switches else ())
    simulated = _first((one.simulated for one in entries), otherwise=False)
    _has_an_address(file, keys[0], host, simulated=simulated)
    # A site's limit is for all its boards together, so it is nobody's own.
    limits = (one.limit for one in (*entries, parsed.defaults))
    return Board(
        name=name,
        host=host or "127.0.0.1",
        port=said(lambda one: one.port, 0),
        user=said(lambda one: one.user, ""),
        host_keys=tuple(_first((one.host_key for one in entries), [])),
        identity_file=said(lambda one: one.identity_file, "") or None,
        work_dir=said(lambda one: one.work_dir, ".orch").removeprefix("~/"),
        site=site,
        tags=tuple(_first((one.tags for one in entries), [])),
        simulated=simulated,
        connect_timeout_s=said(lambda one: one.connect_timeout_s, 10.0),
        jump=tuple(said(lambda one: one.jump, [])),
        password=said(lambda one: one.password, "") or None,
        sudo=said(lambda one: one.sudo, otherwise=False),
        sudo_password=said(lambda one: one.sudo_password, "") or None,
        switch=switch or None,
        relay=_first((one.relay for one in entries), otherwise=False),
        limit_bytes_per_s=_first(limits, 0) or None,
        power=_power(next((one.power for one in levels if one.power is not None), None)),
    )


def _power(entry: PowerEntry | None) -> PowerHook | None:
    if entry is None:
        return None
    return PowerHook(tuple(entry.command), entry.interval_s, entry.environment)


def _known(file: YamlFile, keys: list[str], kind: str, name: str, known: Sequence[str]) -> None:
    """Refuse a site or switch that the file does not list, where it lists any."""
    if known and name not in known:
        places: list[Place] = [("boards", one, kind) for one in keys]
        place = next((place for place in places if place in file.lines), ("defaults", kind))
        raise unknown(file, place, kind, name, [one for one in known if one])


def _first(values: Iterable[Value | None], otherwise: Value) -> Value:
    return next((value for value in values if value is not None), otherwise)


def _has_an_address(file: YamlFile, key: str, host: str | None, *, simulated: bool) -> None:
    if simulated and host is not None:
        message = "a simulated board has no host: orch starts it on this machine"
        raise file.error(("boards", key), message)
    if not simulated and host is None:
        raise file.error(("boards", key), "a board needs a host (or `simulated: true`)")
