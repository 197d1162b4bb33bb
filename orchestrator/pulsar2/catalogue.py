"""The catalogue of failed builds, `data/failures.json`.

Sources: the vendor's documentation and issue trackers, and logs that users showed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_DATA = Path(__file__).parent / "data" / "failures.json"


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of the catalogue.

    Attributes:
        code: what a machine may match on; several entries may share one.
        error: the vendor's error class that the log must end with; empty for any end, `*` for any
            class.
        patterns: one of them must be in the failing part of the log.
        returncodes: how the build ended.
        axmodel: what is found in its place after a build that returned 0.
        decisive: the return code counts for more than what the log says.
        place: the cause is where the build was at, for the log says nothing better.
        meaning: what it comes to.
        hint: what to do.
    """

    id: str
    code: str
    error: str
    patterns: tuple[re.Pattern[str], ...]
    returncodes: tuple[int, ...]
    axmodel: tuple[str, ...]
    decisive: bool
    place: bool
    meaning: str
    hint: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All entries in the order in which they are tried, and where names stand in a log."""

    rules: tuple[Rule, ...]
    nodes: tuple[re.Pattern[str], ...]
    op_types: tuple[re.Pattern[str], ...]

    def named(self, rule_id: str) -> Rule:
        """Give the entry with this id."""
        return next(rule for rule in self.rules if rule.id == rule_id)


@cache
def catalogue() -> Catalogue:
    """Read the catalogue."""
    data = json.loads(_DATA.read_text(encoding="utf-8"))
    rules = (
        Rule(
            id=one["id"],
            code=one["code"],
            error=one.get("error", ""),
            patterns=_compiled(one.get("patterns", [])),
            returncodes=tuple(one.get("returncodes", [])),
            axmodel=tuple(one.get("axmodel", [])),
            decisive=one.get("decisive", False),
            place=one.get("place", False),
            meaning=one["meaning"],
            hint=one["hint"],
        )
        for one in data["failures"]
    )
    return Catalogue(tuple(rules), _compiled(data["nodes"]), _compiled(data["op_types"]))


def _compiled(patterns: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)
