"""`inventory.yaml` → boards, fleets and toolchains, checked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from orchestrator.domain import Board, Fleet, ToolchainSpec
from orchestrator.errors import ConfigError
from orchestrator.inventory.boards import (
    Listed,
    hint_for,
    read_boards,
    refuse_shared_addresses,
    spelled_out,
    unknown,
)
from orchestrator.inventory.environment import resolved
from orchestrator.inventory.file import InventoryFile, ToolchainEntry, inventory_schema
from orchestrator.inventory.fleets import only, read_fleet
from orchestrator.name_ranges import NAME
from orchestrator.selection import choose
from orchestrator.yaml_file import YamlFile, explain, read_yaml


@dataclass(frozen=True, slots=True)
class Inventory:
    """A checked inventory. In `boards` and `fleets`, `env:NAME` stands as it is written.

    `site_limits` are bytes a second that all transfers to the boards of a site may use together.
    """

    path: Path
    boards: Mapping[str, Board]
    fleets: Mapping[str, Fleet]
    toolchains: Mapping[str, ToolchainSpec]
    site_limits: Mapping[str, int]
    _file: YamlFile
    _listed: Mapping[str, Listed]

    def fleet(self, name: str) -> Fleet:
        """Give a fleet by name. Raises ConfigError that lists the known ones."""
        if name not in self.fleets:
            raise self._unknown("fleet", name, self.fleets)
        return self.fleets[name]

    def board(self, name: str) -> Board:
        """Give a board by name, to be used. Raises ConfigError, also for a variable not set."""
        if name not in self.boards:
            raise self._unknown("board", name, self.boards)
        return self.ready((self.boards[name],))[0]

    def toolchain(self, name: str) -> ToolchainSpec:
        """Give a toolchain by name. Raises ConfigError that lists the known ones."""
        if name not in self.toolchains:
            raise self._unknown("toolchain", name, self.toolchains)
        return self.toolchains[name]

    def chosen(self, fleet: Fleet, limit: str | None = None, exclude: str | None = None) -> Fleet:
        """Give the fleet with the boards that `--limit` and `--exclude` leave, to be used.

        Raises ConfigError: an expression cannot be read or means no board, a variable is not set.
        """
        return only(fleet, self.ready(choose(fleet.boards, limit, exclude)))

    def ready(self, boards: Sequence[Board]) -> tuple[Board, ...]:
        """Fill in what comes from the environment. Raises ConfigError with file, line and key."""
        listed = [self._listed[board.name] for board in boards]
        found = [Listed(resolved(self._file, one, os.environ), one.entries) for one in listed]
        if any(now.board is not before.board for now, before in zip(found, listed, strict=True)):
            refuse_shared_addresses(self._file, found)
        return tuple(one.board for one in found)

    def _unknown(self, kind: str, name: str, known: Mapping[str, object]) -> ConfigError:
        message = f"{self.path}: no {kind} named {name!r}"
        return ConfigError(message, hint_for(kind, name, known))


def find_inventory(named: Path | None) -> Path:
    """Find the inventory: option, `ORCH_INVENTORY`, ./inventory.yaml. Raises ConfigError."""
    path = named or Path(os.environ.get("ORCH_INVENTORY") or "inventory.yaml")
    if not path.is_file():
        raise ConfigError(
            f"{path}: no such inventory",
            "go to the folder that has one, or name it with --inventory",
        )
    return path


def load_inventory(path: Path) -> Inventory:
    """Read and check an inventory. Raises ConfigError with file, line and key."""
    file = read_yaml(path)
    try:
        parsed = InventoryFile.model_validate(file.data)
    except ValidationError as error:
        problems = [dict(problem) for problem in error.errors()]
        raise explain(file, problems, inventory_schema()) from None
    _check_names(file, parsed)
    toolchains = {"sim": ToolchainSpec("sim", "sim", None, ())} | {
        name: _toolchain(name, spec, path.parent) for name, spec in parsed.toolchains.items()
    }
    listed = read_boards(file, parsed)
    boards = {name: one.board for name, one in listed.items()}
    fleets = {name: read_fleet(file, name, parsed, boards) for name in parsed.fleets}
    for fleet in fleets.values():
        if fleet.toolchain not in toolchains:
            place = ("fleets", fleet.name, "toolchain")
            raise unknown(file, place, "toolchain", fleet.toolchain, toolchains)
    limits = {name: site.limit for name, site in parsed.sites.items() if site.limit is not None}
    return Inventory(path, boards, fleets, toolchains, limits, file, listed)


def _check_names(file: YamlFile, parsed: InventoryFile) -> None:
    for section in ("sites", "switches", "toolchains", "boards", "fleets"):
        for key in getattr(parsed, section):
            names = spelled_out(file, (section, key), key) if section == "boards" else (key,)
            for name in names:
                if not NAME.fullmatch(name):
                    message = "a name is letters, digits, dot, dash and underscore, at most 63"
                    raise file.error((section, key), message)
    if "sim" in parsed.toolchains:
        raise file.error(("toolchains", "sim"), "`sim` is the stand-in, always there", "rename it")


def _toolchain(name: str, spec: ToolchainEntry, folder: Path) -> ToolchainSpec:
    """A path begins at the inventory's folder."""
    tree = None if spec.path is None else str((folder / Path(spec.path).expanduser()).absolute())
    return ToolchainSpec(
        name, spec.kind, spec.image, tuple(spec.command), spec.max_builds, path=tree
    )
