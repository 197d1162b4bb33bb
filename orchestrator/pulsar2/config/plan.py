"""The build config's types, read once from the annotations: what each key may hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

from orchestrator.pulsar2.config.limits import Limit, Numbers
from orchestrator.pulsar2.config.types import BuildConfig


@dataclass(frozen=True, slots=True)
class Plan:
    """What one value may be.

    Attributes:
        kind: bool, int, float, str, tuple (a list of `items`), dict (a free object), or a message.
        items: the plan of a list's items.
        values: an enum's names; empty: no enum.
        numbers: an enum's numbers → names, as far as they are known.
        required: the key must be there.
    """

    kind: type
    items: Plan | None = None
    values: tuple[str, ...] = ()
    numbers: Mapping[int, str] | None = None
    limits: tuple[Limit, ...] = ()
    required: bool = False

    @property
    def is_message(self) -> bool:
        """Tell whether the value is an object with known keys."""
        return is_dataclass(self.kind)


@cache
def plans_of(message: type) -> dict[str, Plan]:
    """Give the plan of each key of a message, in order."""
    hints = get_type_hints(message, include_extras=True)
    plans: dict[str, Plan] = {}
    for one in fields(message):
        required = one.default is MISSING and one.default_factory is MISSING
        plans[one.name] = _plan(hints[one.name], (), required=required)
    return plans


def camel_case(name: str) -> str:
    """Give the other spelling of a key that protobuf's JSON knows: npu_mode → npuMode."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def places_of(key: str) -> list[str]:
    """Give every path at which the build config has a key of this name."""
    return [path for path in _paths(BuildConfig, "", ()) if path.rsplit(".", 1)[-1] == key]


def _paths(message: type, prefix: str, above: tuple[type, ...]) -> Iterator[str]:
    for name, plan in plans_of(message).items():
        inner = plan.items if plan.items is not None else plan
        path = f"{prefix}{name}"
        yield path
        if inner.is_message and inner.kind not in {*above, message}:
            dots = f"{path}[]." if plan.items is not None else f"{path}."
            yield from _paths(inner.kind, dots, (*above, message))


def _plan(hint: object, notes: tuple[object, ...], *, required: bool) -> Plan:
    """Take a type apart: `Annotated` and `| None` around one of the kinds."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _plan(arguments[0], (*notes, *arguments[1:]), required=required)
    if origin in {Union, UnionType}:
        (inner,) = (one for one in arguments if one is not NoneType)
        return _plan(inner, notes, required=required)
    limits = tuple(note for note in notes if isinstance(note, Limit))
    if origin is Literal:
        known = next((note.numbers for note in notes if isinstance(note, Numbers)), ())
        numbers = dict(zip(known, arguments, strict=False))
        return Plan(str, values=arguments, numbers=numbers, limits=limits, required=required)
    if origin is tuple:
        items = _plan(arguments[0], (), required=True)
        return Plan(tuple, items=items, limits=limits, required=required)
    if isinstance(hint, type):
        return Plan(hint, limits=limits, required=required)
    return Plan(dict, limits=limits, required=required)
