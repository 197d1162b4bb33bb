"""Which operators a target takes, and with what: data/operators/<TARGET>.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

from orchestrator.domain import Json
from orchestrator.pulsar2.preflight.findings import Level
from orchestrator.pulsar2.preflight.nodes import Value

_FOLDER = Path(__file__).parents[1] / "data" / "operators"
#: Whose list stands in where there is none.
_STAND_IN = "AX650"

When = Literal["", "padded", "grouped", "casting"]
Special = Literal["", "prelu", "resize"]
_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """What one attribute may be.

    Attributes:
        only: the values that are taken.
        bars: the values that are not.
        every: all numbers of a list must be this.
        last_axis: it must name the last axis.
        unsupported: it must be left out, or be as `default`.
        written: it must not be left out.
        default: ONNX's own value of an attribute that is left out.
        when: the rule matters only for a node that is so.
        message: in place of the one that the rule gives.
    """

    name: str
    only: tuple[int | float | str, ...] = ()
    bars: tuple[int | float | str, ...] = ()
    every: int | None = None
    last_axis: bool = False
    unsupported: bool = False
    written: bool = False
    default: Value | None = None
    when: When = ""
    level: Level = "refuse"
    message: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class InputRule:
    """What one input of an operator may be.

    Attributes:
        constant: it must not depend on the model's inputs.
        absent: it must be left out.
        max_rank: it must not have more axes.
        elements: it must have so many.
        values: its numbers must be among these.
    """

    index: int
    constant: bool = False
    absent: bool = False
    max_rank: int | None = None
    elements: int | None = None
    values: tuple[float, ...] = ()
    level: Level = "refuse"
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why an operator that is listed may fail: from version `since` on, before `until`.

    With `last` it may only where it gives an output of the model.
    """

    message: str
    advice: str = ""
    since: str = ""
    until: str = ""
    last: bool = False


@dataclass(frozen=True, slots=True)
class OperatorRule:
    """What an operator may be; `since` is the version that brought it."""

    attributes: tuple[AttributeRule, ...] = ()
    inputs: tuple[InputRule, ...] = ()
    special: Special = ""
    doubt: Doubt | None = None
    since: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class OperatorTable:
    """What is known of a target.

    Attributes:
        complete: what is not in `operators` is not there; else that is likely, no more.
        operators: by ONNX's name.
        front_end: what the toolchain cannot even read, whatever the target → advice.
        advice: for other operators that are not there.
    """

    target: str
    complete: bool
    operators: Mapping[str, OperatorRule]
    front_end: Mapping[str, str]
    advice: Mapping[str, str]


@cache
def operator_table(target: str) -> OperatorTable:
    """Read what is known of a target; AX650's list stands in for one that is not known."""
    path = _FOLDER / f"{target}.json"
    if target not in known_targets():
        below = operator_table(_STAND_IN)
        return OperatorTable(target, False, below.operators, below.front_end, below.advice)
    data = json.loads(path.read_text(encoding="utf-8"))
    own = {name: _operator(rule) for name, rule in data.get("operators", {}).items()}
    if "based_on" in data:
        below = operator_table(data["based_on"])
        operators = {**below.operators, **own}
        return OperatorTable(target, data["complete"], operators, below.front_end, below.advice)
    missing = data["missing"]
    return OperatorTable(target, data["complete"], own, missing["front_end"], missing["target"])


@cache
def known_targets() -> frozenset[str]:
    """Give the targets that have a file."""
    return frozenset(path.stem for path in _FOLDER.glob("*.json"))


def _operator(data: Mapping[str, Json]) -> OperatorRule:
    found = {key: value for key, value in data.items() if key not in {"attributes", "inputs"}}
    doubt = found.pop("doubt", None)
    return _row(
        OperatorRule,
        found,
        attributes=tuple(_attribute(one) for one in _rows(data.get("attributes"))),
        inputs=tuple(_row(InputRule, one) for one in _rows(data.get("inputs"))),
        doubt=_row(Doubt, doubt) if isinstance(doubt, dict) else None,
    )


def _attribute(data: Mapping[str, Json]) -> AttributeRule:
    renamed = {"bars" if key == "not" else key: value for key, value in data.items()}
    return _row(AttributeRule, renamed)


def _rows(value: Json) -> list[Mapping[str, Json]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _row(kind: type[_Row], data: Mapping[str, Json], **parts: object) -> _Row:
    """Make a value of the file's own keys; an unknown one is a TypeError, at once."""
    plain = {key: tuple(one) if isinstance(one, list) else one for key, one in data.items()}
    return kind(**plain, **parts)
