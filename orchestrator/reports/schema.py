"""The JSON Schema of `report.json`, from the types of what stands in it."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from orchestrator.domain import (
    BoardOutcome,
    Figures,
    Json,
    Link,
    Night,
    RecipeJudged,
    RunRecord,
    TrendPoint,
)
from orchestrator.latency import Latency, PartsMs
from orchestrator.reports.json_report import NIGHT_VERSION

_PLAIN: Mapping[Any, Json] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


def night_schema() -> dict[str, Json]:
    """Give the schema of a night's `report.json`: JSON Schema, draft 2020-12."""
    known: dict[str, Json] = {}
    board = _object(
        {
            "latency": _schema(Latency | None, known),
            "parts_ms": _schema(PartsMs | None, known),
            "outcome": _schema(BoardOutcome, known),
        }
    )
    recipe = _object(
        {
            "run": _schema(RunRecord, known),
            "judged": _schema(RecipeJudged, known),
            "figures": {"type": "array", "items": _schema(Figures, known)},
            "boards": {"type": "array", "items": board},
            "trend": {"type": "array", "items": _schema(TrendPoint, known)},
            "commands": {"type": "object", "additionalProperties": {"type": "string"}},
        }
    )
    whole = _object(
        {
            "version": {"const": NIGHT_VERSION},
            "kind": {"const": "night"},
            "redacted": {"type": "boolean"},
            "night": _schema(Night, known),
            "recipes": {"type": "array", "items": recipe},
            "next_steps": {"type": "array", "items": {"type": "string"}},
            "chain": _schema(Link | None, known),
        }
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A night of orch verify",
        **whole,
        "$defs": dict(sorted(known.items())),
    }


def _object(properties: dict[str, Json]) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _schema(kind: Any, known: dict[str, Json]) -> dict[str, Json]:  # noqa: PLR0911 - a kind a line
    """Give the schema of a type; dataclasses are put into `known`."""
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if is_dataclass(kind) and isinstance(kind, type):
        return _of_dataclass(kind, known)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(arguments)}
    if kind == Json:
        return {}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(one, known) for one in arguments]}
    if origin is tuple and arguments[-1] is not Ellipsis:
        items: list[Json] = [_schema(one, known) for one in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0], known)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _schema(arguments[1], known)}
    return {}


def _of_dataclass(kind: type, known: dict[str, Json]) -> dict[str, Json]:
    name = kind.__name__
    if name not in known:
        known[name] = {}  # it may hold itself
        hints = get_type_hints(kind)
        known[name] = _object({one.name: _schema(hints[one.name], known) for one in fields(kind)})
    return {"$ref": f"#/$defs/{name}"}
