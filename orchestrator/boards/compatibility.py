"""Which models which boards can load: by rules that are data, and by what boards have shown. Pure.

The rules stand in data/compatibility.json, each with its source. What neither rules nor the ledger
know of is allowed, with a note: nothing is made up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from orchestrator.domain import CompatibilityFact, Json, LoadOutcome, Pairing, Release

_DATA = Path(__file__).parent / "data" / "compatibility.json"
#: `V1.45.0_P39.1_20240903185914`, `2.10.1s`, `5.1-patch1-lite`: numbers, then the patch.
_VERSION = re.compile(r"[vV]?(\d+(?:\.\d+)*)[a-z]?(?:(?:_P|-patch)(\d+(?:\.\d+)*))?(?![\d.])")
#: Error code of a run → what it says about loading.
_LOAD_CODES: Mapping[str, LoadOutcome] = {"": "LOADED", "MODEL_REJECTED": "REJECTED"}
#: A file's hash as it is shown.
_SHOWN = 12

Level = Literal["refuse", "warn", "note"]
Version = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that speaks against a board, or that a person should know of it.

    Attributes:
        check: which check found it: `chip`, `disk`, … (docs/reference/board-check.md).
        message: both sides' values, without the board's name.
        hint: what to do; may be empty.
    """

    level: Level
    check: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """Models for `hardware`, of this task or with tensors of this dtype, want an SDK."""

    id: str
    hardware: str
    dtype: str | None
    task: str | None
    sdk_at_least: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A pair that was published as working."""

    pulsar2: str
    engine: str
    sdk: str | None
    source: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a board is refused, or warned of; docs/reference/board-check.md."""

    max_temperature_c: float
    disk_margin: float
    min_free_inodes: int
    max_clock_skew_s: float
    min_rejections: int


@dataclass(frozen=True, slots=True)
class Rules:
    """All that is known before any board was asked."""

    limits: Limits
    rules: tuple[Rule, ...]
    seen: tuple[Seen, ...]


@cache
def rules() -> Rules:
    """Read the rules."""
    data = json.loads(_DATA.read_text(encoding="utf-8"))
    return Rules(
        limits=Limits(**{name: one["value"] for name, one in data["limits"].items()}),
        rules=tuple(Rule(**({"dtype": None, "task": None} | one)) for one in data["rules"]),
        seen=tuple(Seen(**one) for one in data["seen"]),
    )


def pairing_of(
    pulsar2_version: str, facts: Mapping[str, Json], runtime: Mapping[str, Json] | None = None
) -> Pairing:
    """Give what meets on a board; `runtime` is what a measurement says, and knows the engine."""
    told = {**facts, **(runtime or {})}
    return Pairing(
        pulsar2_version=pulsar2_version,
        sdk_version=_text(facts, "sdk_version"),
        engine_version=_text(told, "engine_version"),
        axengine_sha256=_text(facts, "axengine_sha256"),
        simulated=facts.get("simulated") is True,
    )


def load_outcome(error_code: str) -> LoadOutcome | None:
    """Say what a visit shows about loading the model; None: nothing."""
    return _LOAD_CODES.get(error_code)


def check_rules(release: Release, pairing: Pairing, dtypes: Collection[str], task: str) -> Finding:
    """Judge by the rules: refuse, or note what is known of the pair."""
    sdk = pairing.sdk_version
    for rule in rules().rules:
        if rule.hardware != release.target.hardware:
            continue
        if rule.task not in (None, task) or not (rule.dtype is None or rule.dtype in dtypes):
            continue
        if sdk is not None and is_older(sdk, rule.sdk_at_least):
            return Finding(
                "refuse",
                "sdk",
                f"its SDK is {sdk}, the model wants {rule.sdk_at_least} or newer: {rule.reason}",
                f"update the board's SDK (rule {rule.id}, source: {rule.source})",
            )
    versions = f"Pulsar2 {release.pulsar2_version} on SDK {sdk or 'unknown'}"
    for one in rules().seen:
        if _is_seen(one, pairing):
            return Finding("note", "pairing", f"{versions}: published as working ({one.source})")
    return Finding("note", "pairing", f"{versions}: no rule and no publication speaks of this pair")


def check_learned(
    release: Release, pairing: Pairing, known: Sequence[CompatibilityFact]
) -> Finding | None:
    """Judge by what boards with this software made of models by this Pulsar2.

    It takes rejections, not one load, and that it is not one bad model which they all rejected.
    A single load later on settles it.
    """
    alike = [fact for fact in known if _is_alike(fact.pairing, pairing)]
    rejected = [fact for fact in alike if fact.outcome == "REJECTED"]
    loads = sum(fact.count for fact in alike if fact.outcome == "LOADED")
    times = sum(fact.count for fact in rejected)
    if loads:
        text = f"boards with this software loaded such models {loads} times"
        return Finding("note", "learned", f"{text}, rejected {times}")
    releases = sorted({fact.release_id for fact in rejected})
    general = len(releases) > 1 or release.release_id in releases
    if times < rules().limits.min_rejections or not general:
        return None
    boards = sorted({fact.board for fact in rejected})
    last = max(fact.at for fact in rejected)
    axengine = (pairing.axengine_sha256 or "unknown")[:_SHOWN]
    return Finding(
        "refuse",
        "learned",
        f"SDK {pairing.sdk_version} with axengine {axengine} rejected models by Pulsar2 "
        f"{pairing.pulsar2_version} {times} times and loaded none (releases {', '.join(releases)}; "
        f"boards {', '.join(boards)}; last {last})",
        "build with another Pulsar2, update the board's SDK, or try it: --ignore-learned",
    )


def is_older(version: str, than: str) -> bool:
    """Compare versions of SDKs, engines or Pulsar2; what has no number is not older."""
    one, other = parse_version(version), parse_version(than)
    return one is not None and other is not None and one < other


def parse_version(text: str) -> Version | None:
    """Give numbers and patch; trailing zeros do not count, for 2.18 is 2.18.0."""
    found = _VERSION.match(text)
    return (_numbers(found[1]), _numbers(found[2] or "")) if found else None


def _numbers(text: str) -> tuple[int, ...]:
    parts = [int(part) for part in text.split(".") if part]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _is_seen(seen: Seen, pairing: Pairing) -> bool:
    if not _begins(pairing.pulsar2_version, seen.pulsar2) or pairing.simulated:
        return False
    if pairing.engine_version is not None:
        return _begins(pairing.engine_version, seen.engine)
    return seen.sdk is not None and _begins(pairing.sdk_version or "", seen.sdk)


def _begins(version: str, with_: str) -> bool:
    one, other = parse_version(version), parse_version(with_)
    return one is not None and other is not None and one[0][: len(other[0])] == other[0]


def _is_alike(one: Pairing, other: Pairing) -> bool:
    """Say whether two boards run the same software, as far as both tell; the SDK they must."""
    optional = (
        (one.engine_version, other.engine_version),
        (one.axengine_sha256, other.axengine_sha256),
    )
    return (
        one.simulated == other.simulated
        and one.pulsar2_version == other.pulsar2_version
        and one.sdk_version is not None
        and one.sdk_version == other.sdk_version
        and all(None in pair or pair[0] == pair[1] for pair in optional)
    )


def _text(values: Mapping[str, Json], key: str) -> str | None:
    value = values.get(key)
    return value if isinstance(value, str) else None
