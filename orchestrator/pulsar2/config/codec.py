"""The build config ↔ JSON, checked as the toolchain of one version would check it. Pure.

What the protobuf reader of the toolchain takes is taken: keys in camelCase, enums by name or
number, numbers in quotes, whole floats for integers, null for a key that is left out. What it would
only stumble over after minutes is refused here with the key.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import cast

from orchestrator.domain import Json
from orchestrator.errors import ConfigError
from orchestrator.pulsar2.config.origin import Origin, below
from orchestrator.pulsar2.config.plan import Plan, camel_case, places_of, plans_of
from orchestrator.pulsar2.config.rules import check_rules
from orchestrator.pulsar2.config.types import BuildConfig
from orchestrator.pulsar2.versions import VersionFacts, facts_of, newest_version, version_table

_WHOLE = re.compile(r"[-+]?\d{1,20}")
_DECIMAL = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def config_from_json(
    data: Mapping[str, Json], version: str, source: str | Origin = "config"
) -> BuildConfig:
    """Read a whole config.

    Args:
        data: the config as JSON.
        version: of the toolchain that will read it.
        source: what messages call the config.

    Raises:
        ConfigError: with the path of the first key that the toolchain would refuse.
    """
    origin = source if isinstance(source, Origin) else Origin(source)
    facts = facts_of(version)
    config = cast("BuildConfig", _Reader(facts, origin).message(BuildConfig, data, ""))
    check_rules(config, facts, origin)
    return config


def config_to_json(config: BuildConfig) -> dict[str, Json]:
    """Give what is set, in the order of the types."""
    return _message(config)


def _message(value: object) -> dict[str, Json]:
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{type(value).__name__} is no part of a build config")
    found = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: _json(one) for name, one in found.items() if one is not None and one != ()}


def _json(value: object) -> Json:
    if isinstance(value, tuple):
        return [_json(one) for one in value]
    if is_dataclass(value):
        return _message(value)
    # What is left is what JSON knows: scalars and free objects.
    return dict(value) if isinstance(value, Mapping) else cast("Json", value)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads values by their plans; `path` says where each stands."""

    facts: VersionFacts
    origin: Origin

    def message(self, kind: type, value: object, path: str) -> object:
        if not isinstance(value, Mapping):
            raise self.origin.error(path, f"{_shown(value)} is not an object")
        plans = plans_of(kind)
        read: dict[str, object] = {}
        spelt = {camel_case(name): name for name in plans}
        for written, one in value.items():
            here, key = below(path, written), spelt.get(written, written)
            if key not in plans:
                raise self._unknown(here, written, kind)
            if key != written and key in value:
                message = f"it is {key}, which is there too"
                raise self.origin.error(here, message, f"write it once, as {key}")
            self._check_age(f"{kind.__name__}.{key}", here)
            if one is not None:
                read[key] = self.value(plans[key], one, here)
        for key, plan in plans.items():
            if plan.required and read.get(key) in (None, ""):
                raise self.origin.error(path, f"{key} is missing")
        return kind(**read)

    def value(self, plan: Plan, value: object, path: str) -> object:
        if plan.items is not None:
            if not isinstance(value, list):
                hint = (
                    f"write it in brackets: [{_shown(value)}]"
                    if isinstance(value, str | int | float)
                    else ""
                )
                raise self.origin.error(path, f"{_shown(value)} is not a list", hint)
            items = enumerate(value)
            read: object = tuple(self.value(plan.items, one, below(path, i)) for i, one in items)
        elif plan.is_message:
            read = self.message(plan.kind, value, path)
        elif plan.values:
            read = self._enum(plan, value, path)
        else:
            read = self._scalar(plan, value, path)
        for limit in plan.limits:
            if problem := limit.problem(read):
                raise self.origin.error(path, problem)
        return read

    def _enum(self, plan: Plan, value: object, path: str) -> str:
        named: object = value
        number = _read_number(value) if isinstance(value, str) else value
        if isinstance(number, int | float) and not isinstance(number, bool):
            named = (plan.numbers or {}).get(cast("int", number))
        if not isinstance(named, str) or named not in plan.values:
            known = [one for one in plan.values if self._has(version_table().values_since.get(one))]
            near = difflib.get_close_matches(str(value), known, n=1)
            hint = f"did you mean {near[0]}?" if near else ""
            raise self.origin.error(path, f"{_shown(value)} is none of {', '.join(known)}", hint)
        since = version_table().values_since.get(named)
        if since and not self._has(since):
            message = f"pulsar2 {self.facts.version} has no {named}; it came with {since}"
            raise self.origin.error(path, message)
        return named

    def _scalar(self, plan: Plan, value: object, path: str) -> object:
        if plan.kind is dict:
            if not isinstance(value, Mapping):
                raise self.origin.error(path, f"{_shown(value)} is not an object")
            return dict(value)
        if plan.kind in {int, float} and isinstance(value, str):
            value = _read_number(value)
        if plan.kind is int and isinstance(value, float) and value.is_integer():
            return int(value)
        if not _is(plan.kind, value):
            raise self.origin.error(path, f"{_shown(value)} is not {_WORDS[plan.kind]}")
        if plan.kind is int and not -(1 << 31) <= cast("int", value) < 1 << 31:
            raise self.origin.error(path, f"{value} does not fit into 32 bits")
        return value

    def _check_age(self, key: str, path: str) -> None:
        """Refuse a key that this version has not yet, or no more."""
        table, version = version_table(), self.facts.version
        since, until = table.keys_since.get(key), table.keys_until.get(key)
        if since and not self._has(since):
            raise self.origin.error(path, f"pulsar2 {version} has it not; it came with {since}")
        if until and self._has(until):
            message = f"pulsar2 {version} has it no more; it went with {until}"
            raise self.origin.error(path, message, "leave it out")

    def _has(self, since: str | None) -> bool:
        return since is None or self.facts.has(since)

    def _unknown(self, path: str, key: str, kind: type) -> ConfigError:
        known = list(plans_of(kind))
        near = difflib.get_close_matches(str(key), known, n=1)
        places = places_of(str(key))
        if places:
            hint = f"did you mean {' or '.join(places[:3])}?"
        elif near:
            hint = f"did you mean {near[0]}?"
        else:
            hint = f"known keys: {', '.join(known)}"
        if self.facts.guessed:
            hint += f"; orch knows pulsar2 up to {newest_version()}"
        message = f"no such key in pulsar2 {self.facts.version}"
        return self.origin.error(path, message, hint)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is(kind: type, value: object) -> bool:
    """Tell whether a value is of a scalar kind; a bool is no number, an integer is a float too."""
    if kind is float:
        return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _read_number(text: str) -> int | float | str:
    """Read a number in quotes; YAML makes one of 1e-6. What is no number is given back."""
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def _shown(value: object) -> str:
    """Show a value as JSON would, shortened."""
    words = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - what a line holds
