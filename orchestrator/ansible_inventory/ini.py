"""An Ansible inventory in its INI form → what it says.

The format: https://docs.ansible.com/ansible/latest/collections/ansible/builtin/ini_inventory.html
"""

from __future__ import annotations

import ast
import re
import shlex
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.ansible_inventory.source import ALL, UNGROUPED, Group, Source, Variable, Where

_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
_CHILD = re.compile(r"([^:\]\s]+)\s*(?:#.*)?")
_KINDS = ("hosts", "children", "vars")


def read_ini(path: Path, text: str) -> Source:
    """Read the INI form. Raises ConfigError with file and line."""
    source, start = Source(path), Where(path, 1)
    sections = _Sections(source, {UNGROUPED: start, ALL: start})
    group, kind = source.group(UNGROUPED, start), "hosts"
    for number, raw in enumerate(text.splitlines(), start=1):
        line, where = raw.strip(), Where(path, number)
        if not line or line[0] in "#;":
            continue
        if section := _SECTION.fullmatch(line):
            group, kind = sections.begin(section[1], section[2] or "hosts", where)
        elif line.startswith("[") and line.endswith("]"):
            raise where.error(f"this is no section: {line}", "no blanks stand in its name")
        elif kind == "hosts":
            _host(source, group, line, where)
        elif kind == "vars":
            name, value = _assignment(line, where)
            group.variables[name] = Variable(value, where)
        else:
            sections.child(group, line, where)
    for name, where in sections.mentions.items():
        if name not in sections.headings:
            raise where.error(f"there is no group {name!r}", f"begin it by [{name}]")
    return source


@dataclass(frozen=True, slots=True)
class _Sections:
    """Which groups have a section, and where others are spoken of."""

    source: Source
    headings: dict[str, Where]
    mentions: dict[str, Where] = field(default_factory=dict)

    def begin(self, name: str, kind: str, where: Where) -> tuple[Group, str]:
        if kind not in _KINDS:
            raise where.error(f"section of an unknown kind {kind!r}", "hosts, children or vars")
        # Variables alone make no group: those of a misspelt name would be lost.
        (self.mentions if kind == "vars" else self.headings).setdefault(name, where)
        return self.source.group(name, where), kind

    def child(self, group: Group, line: str, where: Where) -> None:
        found = _CHILD.fullmatch(line)
        if found is None:
            raise where.error(f"a group should stand here: {line}")
        self.source.group(found[1], where)
        group.children[found[1]] = None
        self.mentions.setdefault(found[1], where)


def _host(source: Source, group: Group, line: str, where: Where) -> None:
    try:
        pattern, *words = shlex.split(line, comments=True)
    except ValueError as error:
        # The line itself is not shown: a password may stand in it.
        raise where.error(f"the line cannot be split into words: {error}") from None
    if pattern == "---":
        raise where.error("this looks like YAML", "name the file *.yaml or *.yml")
    variables = {}
    for index, word in enumerate(words, start=1):
        if "=" not in word:
            raise where.error(f"word {index} behind {pattern} is not key=value")
        name, value = _assignment(word, where)
        variables[name] = Variable(value, where)
    source.add_hosts(group, pattern, variables, where)


def _assignment(text: str, where: Where) -> tuple[str, object]:
    """Split `key=value`; a value that Python can read as a literal is that literal."""
    name, equals, value = text.partition("=")
    if not equals:
        raise where.error("key=value should stand here")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return name.strip(), ast.literal_eval(value.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return name.strip(), value.strip()
