"""Why each stage would hit or miss, without doing any of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from itertools import zip_longest

from orchestrator.actions import Sources
from orchestrator.building import walk_stages
from orchestrator.cache import Cache, Explanation
from orchestrator.domain import Json, Recipe
from orchestrator.hashing import canonical_json

#: What a field was in the last run, and what it is now.
Change = tuple[str | None, str | None]
#: Longer values are cut in a line; the table and the JSON of `orch why` have them whole.
_LINE = 48


class _Absent(Enum):
    """Where one side has no such key; None is a value in JSON."""

    ABSENT = 0


ABSENT = _Absent.ABSENT


def explain_stages(recipe: Recipe, sources: Sources, cache: Cache) -> list[Explanation]:
    """Explain export, optimize, compile and check, as far as their inputs are known.

    A stage behind one that misses has no key yet, so the list ends with the first miss.
    """
    return [cache.explain(wanted) for wanted, _ in walk_stages(recipe, sources, cache)]


def in_words(explanation: Explanation) -> str:
    """Say it in one line: `hit`, or `miss` and what has changed since the last run."""
    if explanation.hit:
        return f"hit ({explanation.key[:12]})"
    if explanation.last_key is None:
        return "miss: it has never run for this recipe"
    if not explanation.changed:
        return "miss: its files are no longer among the artifacts"
    changes = [
        f"{name}: {_line(before)} → {_line(now)}"
        for name, (before, now) in detailed(explanation.changed).items()
    ]
    return "miss: " + "; ".join(changes)


def detailed(changed: Mapping[str, Change]) -> dict[str, Change]:
    """Name what differs inside the fields that hold JSON or a command line.

    `config` becomes `config.quant.calibration_method`, `argv` becomes `argv.--npu_mode`; a value
    inside is its JSON, a text without quotes.
    """
    found: dict[str, Change] = {}
    for name, (before, now) in changed.items():
        parse = _options if name == "argv" else _container
        parts = (parse(before), parse(now))
        if None in parts:
            found[name] = (before, now)
        else:
            found |= _differences(name, *parts)
    return found


def _differences(name: str, before: Json | _Absent, now: Json | _Absent) -> dict[str, Change]:
    """Give the leaves that differ by their paths; lists are compared place by place."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [f".{key}" for key in sorted({*before, *now})]
        pairs = [(before.get(key[1:], ABSENT), now.get(key[1:], ABSENT)) for key in keys]
    elif isinstance(before, list) and isinstance(now, list):
        keys = [f"[{index}]" for index in range(max(len(before), len(now)))]
        pairs = list(zip_longest(before, now, fillvalue=ABSENT))
    else:
        return {} if before == now else {name: (_text(before), _text(now))}
    found: dict[str, Change] = {}
    for key, pair in zip(keys, pairs, strict=True):
        found |= _differences(name + key, *pair)
    return found


def _container(text: str | None) -> Json:
    """Give the JSON object or list that a text holds, or None."""
    if text is None or text[:1] not in {"{", "["}:
        return None
    try:
        value: Json = json.loads(text)
    except ValueError:
        return None
    return value


def _options(text: str | None) -> Json:
    """Give a command line as its options with their values; what stands alone gets a number."""
    if text is None:
        return None
    found: dict[str, Json] = {}
    words = text.split()
    while words:
        word = words.pop(0)
        if word.startswith("--") and words and not words[0].startswith("--"):
            found[word] = words.pop(0)
        else:
            found[word if word.startswith("--") else str(len(found))] = word
    return found


def _text(value: Json | _Absent) -> str | None:
    if isinstance(value, _Absent):
        return None
    return value if isinstance(value, str) else canonical_json(value)


def _line(value: str | None) -> str:
    if value is None:
        return "(none)"
    return value if len(value) <= _LINE else f"{value[:20]}…{value[-12:]}"
