"""Which variables hold for a host in the end, and in which groups it is.

Groups go from the outermost inwards, of one depth by `ansible_group_priority` and then by name;
files beside the inventory go over what stands in it; a host's own go over all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.ansible_inventory.source import ALL, Host, Source, Variable, Where
from orchestrator.ansible_inventory.yaml_form import read_variables
from orchestrator.errors import ConfigError

_SUFFIXES = ("", ".yml", ".yaml", ".json")
_VAULT = "$ANSIBLE_VAULT"


@dataclass(frozen=True, slots=True)
class Merged:
    """A host, the groups it is in from the outermost inwards, and what holds for it."""

    host: Host
    groups: tuple[str, ...]
    variables: Mapping[str, Variable]


def merge(source: Source) -> list[Merged]:
    """Give every host with its groups and variables. Raises ConfigError with file and line."""
    parents: dict[str, list[str]] = {name: [] for name in source.groups}
    for group in source.groups.values():
        for child in group.children:
            parents[child].append(group.name)
    depths: dict[str, int] = {}
    for name in source.groups:
        _depth(source, name, parents, depths, ())
    of_group = {
        name: group.variables | _from_files(source, "group_vars", name)
        for name, group in source.groups.items()
    }
    of_all = of_group.get(ALL) or _from_files(source, "group_vars", ALL)
    direct: dict[str, list[str]] = {name: [] for name in source.hosts}
    for group in source.groups.values():
        for name in group.hosts:
            direct[name].append(group.name)
    merged = []
    for host in source.hosts.values():
        inside = _with_parents(direct[host.name], parents) - {ALL}
        ordered = sorted(inside, key=lambda name: (depths[name], _priority(of_group[name]), name))
        variables = dict(of_all)
        for name in ordered:
            variables |= of_group[name]
        variables |= host.variables | _from_files(source, "host_vars", host.name)
        merged.append(Merged(host, tuple(ordered), variables))
    return merged


def _depth(
    source: Source,
    name: str,
    parents: Mapping[str, list[str]],
    depths: dict[str, int],
    below: tuple[str, ...],
) -> int:
    """Give how far a group is from `all`, by its longest way."""
    if name in below:
        loop = " → ".join((*below[below.index(name) :], name))
        raise source.groups[name].where.error(f"group {name!r} is in itself: {loop}")
    if name not in depths:
        ways = (_depth(source, one, parents, depths, (*below, name)) for one in parents[name])
        depths[name] = 0 if name == ALL else 1 + max(ways, default=0)
    return depths[name]


def _with_parents(names: list[str], parents: Mapping[str, list[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += parents[name]
    return found


def _priority(variables: Mapping[str, Variable]) -> int:
    given = variables.get("ansible_group_priority")
    return int(given.text) if given is not None and given.text.isdecimal() else 1


def _from_files(source: Source, folder: str, name: str) -> dict[str, Variable]:
    """Read what stands beside the inventory for a group or host."""
    found: dict[str, Variable] = {}
    for path in _files(source.path.parent / folder, name):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from error
        if text.startswith(_VAULT):
            note = f"{Where(path, 1)}: not taken: the whole file is encrypted by Ansible Vault"
            source.notes.append(note)
            continue
        found |= read_variables(path, text)
    return found


def _files(folder: Path, name: str) -> Iterator[Path]:
    for suffix in _SUFFIXES:
        path = folder / f"{name}{suffix}"
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.suffix in _SUFFIXES[1:])
        elif path.is_file():
            yield path
