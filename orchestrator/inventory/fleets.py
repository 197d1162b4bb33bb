"""Entries of `fleets` → fleets: which boards, how many at once, in which steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.domain import Board, Caps, Fleet, Rollout, VerifySpec
from orchestrator.errors import ConfigError
from orchestrator.inventory.boards import spelled_out, unknown
from orchestrator.inventory.file import FleetEntry, InventoryFile, RolloutEntry, VerifyEntry
from orchestrator.name_ranges import is_glob, is_range, matcher
from orchestrator.selection import select
from orchestrator.yaml_file import Place, YamlFile


def read_fleet(
    file: YamlFile, name: str, parsed: InventoryFile, boards: Mapping[str, Board]
) -> Fleet:
    """Give a fleet. Raises ConfigError with file, line and key."""
    entry = parsed.fleets[name]
    names = _members(file, name, entry, boards)
    rollout = _rollout(file, name, entry.rollout, names)
    caps = Caps(
        entry.max_parallel,
        {key: one.max_parallel for key, one in parsed.sites.items() if one.max_parallel},
        {key: one.max_parallel for key, one in parsed.switches.items() if one.max_parallel},
    )
    members = tuple(boards[one] for one in names)
    return Fleet(
        name,
        members,
        entry.recipe,
        entry.toolchain,
        caps,
        rollout,
        entry.board_deadline_s,
        entry.quarantine_after,
        _verify(entry.verify),
    )


def only(fleet: Fleet, boards: tuple[Board, ...]) -> Fleet:
    """Give the fleet with these of its boards; a canary that is not among them is none."""
    names = {board.name for board in boards}
    canary = tuple(name for name in fleet.rollout.canary if name in names)
    return replace(fleet, boards=boards, rollout=replace(fleet.rollout, canary=canary))


def _members(
    file: YamlFile, name: str, entry: FleetEntry, boards: Mapping[str, Board]
) -> dict[str, None]:
    """Give the names of a fleet's boards in order: those listed, then those selected."""
    place: Place = ("fleets", name, "boards")
    found = _listed(file, place, entry.boards or [], boards)
    if entry.select is not None:
        try:
            chosen = select(tuple(boards.values()), entry.select, "select")
        except ConfigError as error:
            raise file.error(("fleets", name, "select"), error.message, error.hint) from None
        found |= dict.fromkeys(board.name for board in chosen)
    return found


def _listed(
    file: YamlFile, place: Place, texts: list[str], known: Mapping[str, object]
) -> dict[str, None]:
    """Give the names that names, ranges and globs mean; only a plain name twice is a mistake."""
    found: dict[str, None] = {}
    for index, text in enumerate(texts):
        here = (*place, index)
        if is_glob(text):
            spelled_out(file, here, text)
            names = tuple(filter(matcher(text), known))
            if not names:
                raise file.error(here, f"no board of {len(known)} fits {text!r}")
        else:
            names = spelled_out(file, here, text)
        for name in names:
            if name not in known:
                raise unknown(file, here, "board", name, known)
            if name in found and not is_glob(text) and not is_range(text):
                raise file.error(here, f"board {name!r} is listed twice")
            found[name] = None
    return found


def _rollout(
    file: YamlFile, name: str, entry: RolloutEntry, members: Mapping[str, None]
) -> Rollout:
    place: Place = ("fleets", name, "rollout", "canary")
    return Rollout(
        canary=tuple(_listed(file, place, entry.canary or [], members)),
        waves=tuple(entry.waves),
        max_failed=entry.max_failed,
        max_slowdown=entry.max_slowdown,
        max_agreement_loss=entry.max_agreement_loss,
    )


def _verify(entry: VerifyEntry) -> VerifySpec:
    return VerifySpec(**(entry.model_dump() | {"recipes": tuple(entry.recipes or ())}))
