"""What an Ansible inventory says, before it means anything: hosts, groups, variables with lines."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from orchestrator.errors import ConfigError

#: Groups that every inventory has; they make neither fleets of their own name nor tags.
ALL, UNGROUPED = "all", "ungrouped"
_MOST_NAMES = 10_000
_PORT = re.compile(r"(.*[^:]):(\d{1,5})")
_IPV6 = re.compile(r"\[([0-9A-Fa-f:.]*)\](?::(\d{1,5}))?")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_NUMBERS = re.compile(r"(\d{0,9}):(\d{1,9})(?::([1-9]\d{0,8}))?")
_LETTERS = re.compile(r"([a-z]):([a-z])(?::([1-9]\d?))?|([A-Z]):([A-Z])(?::([1-9]\d?))?")


@dataclass(frozen=True, slots=True)
class Where:
    """A line of a file."""

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"

    def error(self, message: str, hint: str = "") -> ConfigError:
        """Make the one-line error for this place."""
        return ConfigError(f"{self}: {message}", hint)


@dataclass(frozen=True, slots=True)
class Variable:
    """A value and where it stands; `sealed` is one that only Ansible Vault can open."""

    value: object
    where: Where
    sealed: bool = False

    @property
    def text(self) -> str:
        """The value as it would stand on a command line."""
        return str(self.value)


Variables = Mapping[str, Variable]


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of hosts and of other groups."""

    name: str
    where: Where
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Host:
    """A host and its own variables; `where` it is named first."""

    name: str
    where: Where
    variables: dict[str, Variable] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """An Ansible inventory as it was read; `notes` are what could not be taken."""

    path: Path
    hosts: dict[str, Host] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def group(self, name: str, where: Where) -> Group:
        """Give a group, made when it is named for the first time."""
        return self.groups.setdefault(name, Group(name, where))

    def add_hosts(self, group: Group, pattern: str, variables: Variables, where: Where) -> None:
        """Put the hosts of a pattern into a group. Raises ConfigError."""
        names, port = spelled_out(pattern, where)
        for name in names:
            host = self.hosts.setdefault(name, Host(name, where))
            if port is not None:
                host.variables["ansible_port"] = Variable(port, where)
            host.variables.update(variables)
            group.hosts[name] = None


def spelled_out(pattern: str, where: Where) -> tuple[list[str], int | None]:
    """Give the hosts of `web[01:50:2].example:2222` and the port. Raises ConfigError."""
    if found := _IPV6.fullmatch(pattern):
        try:
            address = str(ipaddress.IPv6Address(found[1]))
        except ValueError:
            pass  # a range
        else:
            return [address], int(found[2]) if found[2] else None
    port = None
    bare = _BRACKET.sub("", pattern)
    if "[" in bare or "]" in bare:
        raise where.error(f"{pattern!r}: a bracket is not closed")
    if bare.count(":") == 1:
        match = _PORT.fullmatch(pattern)
        if match is None:
            raise where.error(f"{pattern!r}: a port should stand behind the colon")
        pattern, port = match[1], int(match[2])
    parts = _BRACKET.split(pattern)
    choices = [_choices(inside, where) for inside in parts[1::2]]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > _MOST_NAMES:
        raise where.error(f"{pattern!r} stands for {count:,} hosts, at most {_MOST_NAMES:,}")
    joined = (zip(chosen, parts[2::2], strict=True) for chosen in product(*choices))
    return [parts[0] + "".join(one + after for one, after in pairs) for pairs in joined], port


def _choices(inside: str, where: Where) -> list[str]:
    """Read `01:50`, `:9`, `1:50:2` or `a:f`."""
    if found := _NUMBERS.fullmatch(inside):
        first, last, step = found[1] or "0", found[2], int(found[3] or 1)
        padded = first.startswith("0") and len(first) > 1
        if padded and len(first) != len(last):
            raise where.error(f"[{inside}]: both ends of a padded range have as many digits")
        if int(last) - int(first) > _MOST_NAMES * step:
            raise where.error(f"[{inside}] is more than {_MOST_NAMES:,} hosts")
        width = len(first) if padded else 0
        chosen = [str(one).zfill(width) for one in range(int(first), int(last) + 1, step)]
    elif found := _LETTERS.fullmatch(inside):
        first, last, letter_step = found[1] or found[4], found[2] or found[5], found[3] or found[6]
        codes = range(ord(first), ord(last) + 1, int(letter_step or 1))
        chosen = [chr(one) for one in codes]
    else:
        raise where.error(f"[{inside}] is no range: Ansible writes [01:50], [1:50:2] or [a:f]")
    if not chosen:
        raise where.error(f"[{inside}] goes backwards")
    return chosen
