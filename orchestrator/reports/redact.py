"""A night to be shown to strangers: no hosts, users, uids, paths; boards under other names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from orchestrator.domain import Json, NightReport

#: What a board tells of its kind, and not of itself.
_FACTS = frozenset({"chip_type", "sdk_version", "kernel", "machine", "simulated", "python"})
#: What the runtime tells of its kind.
_RUNTIME = frozenset({"instrument", "engine_version", "provider", "vnpu", "trace", "simulated"})
#: What a run's summary says of the model.
_SUMMARY = frozenset({"target", "pulsar2", "release_id", "simulated", "toolchain", "verdict"})
#: A sensor's reading names who holds memory.
_SENSORS = frozenset(
    {"at_ns", "npu_clock_mhz", "temperature_c", "cmm_used_bytes", "cmm_free_bytes"}
    | {"npu_load_percent", "cpu_governor", "cpu_clock_mhz"}
)
_KEPT: Mapping[str, frozenset[str]] = {
    "facts": _FACTS,
    "runtime": _RUNTIME,
    "summary": _SUMMARY,
    "before": _SENSORS,
    "after": _SENSORS,
    "after_first": _SENSORS,
}
#: What may hide in a text: addresses, logins, paths.
_HIDDEN = re.compile(
    r"[\w.+-]+@[\w.-]+(?::\d+)?|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"
    r"|\b(?:[0-9a-fA-F]{1,4}:){2,7}[0-9a-fA-F]{1,4}\b|(?<![\w/])[~.]?/[\w.@%+-]+(?:/[\w.@%+-]*)*"
)
_REMOVED = "(removed)"


def redact(report: NightReport) -> NightReport:
    """Give the night without what says whose boards these are; the same board is the same name."""
    names = _names(report)
    cleaned: NightReport = _Cleaner(names).clean(report, "")
    recipes = tuple(replace(one, commands={}, log_tails={}) for one in cleaned.recipes)
    night = replace(cleaned.night, asked={})
    return replace(cleaned, night=night, recipes=recipes, contact_sheets={}, redacted=True)


def _names(report: NightReport) -> dict[str, str]:
    """Give a name in place of each board, site, fleet, uid and host name."""
    boards: set[str] = set(report.night.failed_boards)
    sites: set[str] = set()
    secrets: set[str] = set()
    for recipe in report.recipes:
        for figures in (*recipe.figures, *recipe.history):
            boards.add(figures.board)
            sites.add(figures.site)
        for outcome in recipe.outcomes:
            boards.add(outcome.board)
            told = (outcome.facts.get(key) for key in ("uid", "hostname", "mac", "serial"))
            secrets |= {one for one in told if isinstance(one, str)}
    found = dict.fromkeys((one for one in secrets if one), _REMOVED)
    found |= {name: f"site-{at}" for at, name in enumerate(sorted(sites - {""}), start=1)}
    width = len(str(len(boards)))
    found |= {f: f"board-{at:0{width}d}" for at, f in enumerate(sorted(boards), start=1)}
    return found | {report.night.fleet: "fleet-1"}


class _Cleaner:
    """Goes through values, and puts other names into their texts."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        longest_first = sorted(names, key=len, reverse=True)
        said = "|".join(re.escape(one) for one in longest_first)
        self._known = re.compile(rf"(?<![\w-])(?:{said})(?![\w-])")

    def clean(self, value: Any, key: str) -> Any:  # noqa: PLR0911 - a kind of value each
        """Give a value without what is hidden in it; `key` is where it stands."""
        if isinstance(value, str):
            return self._text(value, key)
        if is_dataclass(value) and not isinstance(value, type):
            parts = {one.name: getattr(value, one.name) for one in fields(value)}
            return replace(value, **{name: self.clean(one, name) for name, one in parts.items()})
        if isinstance(value, Mapping):
            return self._mapping(value, key)
        if isinstance(value, tuple | list):
            if key == "overlays":
                return ()
            if key == "readings":
                return tuple(_only(one, _SENSORS) for one in value)
            return type(value)(self._each(value, key))
        return value

    def _each(self, values: Iterable[Any], key: str) -> Iterable[Any]:
        return [self.clean(one, key) for one in values]

    def _mapping(self, value: Mapping[str, Any], key: str) -> dict[str, Any]:
        kept = _only(value, _KEPT[key]) if key in _KEPT else value
        return {self._text(name, "name"): self.clean(one, name) for name, one in kept.items()}

    def _text(self, text: str, key: str) -> str:
        named = self._known.sub(lambda found: self._names[found[0]], text)
        # Identifiers, times and hashes hold nothing that looks like an address.
        free = key in {"error", "hint", "text", "sentence", "reasons", "next_steps", "remark"}
        free = (
            free or key in {"left_out", "failed_boards", "failed_gates", "evidence"} or " " in text
        )
        return _HIDDEN.sub(_REMOVED, named) if free else named


def _only(value: Mapping[str, Json], keys: frozenset[str]) -> dict[str, Json]:
    return {name: one for name, one in value.items() if name in keys}
