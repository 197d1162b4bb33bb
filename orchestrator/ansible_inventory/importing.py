"""Reads an Ansible inventory and says what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.ansible_inventory.ini import read_ini
from orchestrator.ansible_inventory.merging import Merged, merge
from orchestrator.ansible_inventory.source import ALL, UNGROUPED, Source
from orchestrator.ansible_inventory.translating import Translation
from orchestrator.ansible_inventory.writing import inventory_text
from orchestrator.ansible_inventory.yaml_form import read_yaml_form
from orchestrator.domain import Json
from orchestrator.errors import ConfigError
from orchestrator.name_ranges import NAME

_YAML = {".yaml", ".yml", ".json"}
_YAML_START = re.compile(r"---|[\"'\w.-]+:\s*(?:#.*)?$|\{")
_FOREIGN = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Imported:
    """The text of an inventory, the boards and fleets in it, and notes on what is not.

    A note begins with file and line.
    """

    text: str
    boards: tuple[str, ...]
    fleets: tuple[str, ...]
    notes: tuple[str, ...]


def import_ansible(path: Path) -> Imported:
    """Read an Ansible inventory with the files of variables beside it.

    Raises ConfigError, with file and line where there is one.
    """
    source = _read(path)
    translation = Translation(dict.fromkeys(source.notes))
    boards: dict[str, dict[str, Json]] = {}
    taken: dict[object, str] = {}
    for one in merge(source):
        keys, name = translation.board(one), _name(one, translation)
        if keys is None or name is None or _is_taken(one, name, keys, taken, translation):
            continue
        if tags := [_FOREIGN.sub("-", group) for group in one.groups if group != UNGROUPED]:
            keys["tags"] = list(tags)
        boards[name] = keys
    for note in source.notes:
        translation.notes.setdefault(note)
    if not boards:
        raise ConfigError(f"{path}: no host in it can be a board", "\n".join(translation.notes))
    groups = _groups(source, boards, translation)
    text = inventory_text(f"Made of {path.name} by `orch fleet import`.", boards, groups)
    return Imported(text, tuple(boards), (ALL, *groups), tuple(translation.notes))


def _read(path: Path) -> Source:
    if path.is_dir():
        raise ConfigError(f"{path}: this is a folder", "import one file of it after the other")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path}: cannot be read: {reason}") from error
    if text.startswith(("#!", "$ANSIBLE_VAULT")):
        what = "a program that makes one" if text.startswith("#!") else "encrypted"
        hint = "write it down: ansible-inventory -i FILE --list --yaml > hosts.yaml"
        raise ConfigError(f"{path}:1: this is no plain inventory but {what}", hint)
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and line[0] not in "#;"), "")
    as_yaml = path.suffix in _YAML or (not path.suffix and _YAML_START.match(first))
    return read_yaml_form(path, text) if as_yaml else read_ini(path, text)


def _name(one: Merged, translation: Translation) -> str | None:
    """Give a host's name as one a board may have."""
    name = _FOREIGN.sub("-", one.host.name).lstrip("._-")
    if not NAME.fullmatch(name):
        text = f"left out: host {one.host.name!r}: a board's name has at most 63 characters"
        translation.note(one.host.where, text)
        return None
    if name != one.host.name:
        translation.note(one.host.where, f"renamed: host {one.host.name!r} is board {name!r}")
    return name


def _is_taken(
    one: Merged,
    name: str,
    keys: Mapping[str, Json],
    taken: dict[object, str],
    translation: Translation,
) -> bool:
    """Say whether the name or the address is that of a board before it; else keep both."""
    address = (str(keys["host"]).lower(), keys.get("port", 22), str(keys.get("jump")))
    other = taken.get(name) or taken.get(address)
    if other is not None:
        text = f"left out: host {one.host.name!r}: its name or address is that of {other!r}"
        translation.note(one.host.where, text)
        return True
    taken[name] = taken[address] = name
    return False


def _groups(
    source: Source, boards: Mapping[str, Mapping[str, Json]], translation: Translation
) -> list[str]:
    """Give the groups that become fleets."""
    used = {tag for keys in boards.values() for tag in _texts(keys.get("tags"))}
    found: dict[str, None] = {}
    for group in source.groups.values():
        name = _FOREIGN.sub("-", group.name)
        if group.name in {ALL, UNGROUPED} or name in found:
            continue
        if name not in used:
            translation.note(group.where, f"left out: group {group.name!r} has no boards")
        elif not NAME.fullmatch(name) or name == ALL:
            translation.note(group.where, f"left out: {group.name!r} cannot name a fleet")
        else:
            found[name] = None
    return list(found)


def _texts(value: Json) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
