"""What a build's log says: the facts of a success, the cause of a failure. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CODE = re.compile(r"CodeException: \(<ErrorCode\.(\w+): (\d+)>, (.*)\)\s*$")
_MAX_CYCLE = re.compile(r"max_cycle\s*=\s*([\d,]+)")
_MACS = re.compile(r"macs: ([\d,]+)")
_SUBGRAPHS = re.compile(r"fuse (\d+) subgraph\(s\)")
_EXCEPTION = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception)\b.*")


@dataclass(frozen=True, slots=True)
class BuildFacts:
    """What a log tells; None where it does not say."""

    max_cycle: int | None
    macs: int | None
    subgraphs: int | None


def plain_lines(text: str) -> list[str]:
    """Split a log into lines without colours, keeping the last state of each progress bar."""
    lines = _ANSI.sub("", text).replace("\r\n", "\n").split("\n")
    return [line.rstrip("\r").rsplit("\r", 1)[-1].rstrip() for line in lines]


def read_facts(text: str) -> BuildFacts:
    """Read the facts of a build; the last mention of each counts."""
    plain = _ANSI.sub("", text)

    def last(pattern: re.Pattern[str]) -> int | None:
        found = pattern.findall(plain)
        return int(found[-1].replace(",", "")) if found else None

    return BuildFacts(last(_MAX_CYCLE), last(_MACS), last(_SUBGRAPHS))


def find_cause(text: str) -> str:
    """Give the one line that says best why a build failed."""
    lines = [line for line in plain_lines(text) if line.strip()]
    for line in reversed(lines):
        if found := _CODE.search(line):
            name, number, cause = found.groups()
            return f"{name} {number}: {cause}"
    for line in reversed(lines):
        if _EXCEPTION.match(line.strip()):
            return line.strip()
    return lines[-1].strip() if lines else "the log is empty"
