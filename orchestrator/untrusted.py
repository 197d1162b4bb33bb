"""What a board sends, field by field: of the right kind, or an error. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeGuard

from orchestrator.domain import Json
from orchestrator.errors import AgentError

#: Larger numbers are no times or sizes, and the ledger has no room for them.
_MAX_INTEGER = 2**63 - 1


def an_object(board: str, reply: Mapping[str, Json], key: str) -> dict[str, Json]:
    """Read an object that can be written down whole."""
    value = reply.get(key)
    if not isinstance(value, dict) or not _is_sound(value):
        raise malformed(board, key)
    return value


def _is_sound(value: Json) -> bool:
    """Say whether all of it can be written down: no NaN, no endless number, no broken text."""
    rest = [value]
    while rest:
        match rest.pop():
            case str(text) if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
                return False
            case int() | float() as number if not abs(number) <= _MAX_INTEGER:
                return False
            case list(items):
                rest += items
            case dict(named):
                rest += [*named, *named.values()]
    return True


def sizes(board: str, reply: Mapping[str, Json], key: str) -> dict[str, int]:
    """Read counts by name."""
    values = an_object(board, reply, key)
    return {name: integer(board, values, name) for name in values}


def text_or_none(board: str, reply: Mapping[str, Json], key: str) -> str | None:
    """Read a text that may be missing."""
    value = reply.get(key)
    if value is not None and not (isinstance(value, str) and _is_sound(value)):
        raise malformed(board, key)
    return value


def texts(board: str, reply: Mapping[str, Json], key: str) -> tuple[str, ...]:
    """Read a list of texts."""
    values = reply.get(key)
    names = tuple(one for one in values if isinstance(one, str)) if isinstance(values, list) else ()
    if not isinstance(values, list) or len(names) != len(values) or not _is_sound(values):
        raise malformed(board, key)
    return names


def object_or_none(board: str, reply: Mapping[str, Json], key: str) -> dict[str, Json] | None:
    """Read an object that may be missing."""
    return None if reply.get(key) is None else an_object(board, reply, key)


def objects(board: str, reply: Mapping[str, Json], key: str) -> tuple[dict[str, Json], ...]:
    """Read a list of objects."""
    values = reply.get(key)
    if not isinstance(values, list):
        raise malformed(board, key)
    return tuple(an_object(board, {key: value}, key) for value in values)


def number(board: str, reply: Mapping[str, Json], key: str) -> float:
    """Read a number."""
    value = reply.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise malformed(board, key)
    return float(value)


def integer(board: str, reply: Mapping[str, Json], key: str) -> int:
    """Read a count, 0 to 2**63 - 1."""
    value = reply.get(key)
    if not _is_count(value):
        raise malformed(board, key)
    return value


def integer_or_none(board: str, reply: Mapping[str, Json], key: str) -> int | None:
    """Read a count that may be missing."""
    return None if reply.get(key) is None else integer(board, reply, key)


def _is_count(value: Json) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= _MAX_INTEGER


def integers(board: str, reply: Mapping[str, Json], key: str) -> tuple[int, ...]:
    """Read a list of counts."""
    values = reply.get(key)
    if not isinstance(values, list):
        raise malformed(board, key)
    numbers = tuple(value for value in values if _is_count(value))
    if len(numbers) != len(values):
        raise malformed(board, key)
    return numbers


def malformed(board: str, key: str) -> AgentError:
    """Give the error for a reply without a usable field."""
    return AgentError(
        f"{board}: its agent's reply has no usable {key!r}",
        "is something else answering in the agent's place?",
        "INTERNAL",
    )
