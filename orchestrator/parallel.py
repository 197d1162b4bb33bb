"""The seam for work on many items at once: boards, above all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Ok(Generic[Item, Result]):
    """An item that was worked on."""

    item: Item
    value: Result


@dataclass(frozen=True, slots=True)
class Failed(Generic[Item]):
    """An item whose work raised; the others went on."""

    item: Item
    error: Exception


def _no_groups(_: object) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class AtOnce(Generic[Item]):
    """How many items are worked on at once: in all, and of each of the groups an item is in."""

    in_all: int
    of_group: Mapping[str, int] = field(default_factory=dict)
    groups: Callable[[Item], Sequence[str]] = _no_groups


Again = Callable[[Ok[Item, Result] | Failed[Item]], tuple[Item, float] | None]


def once(_: object) -> None:
    """Try nothing again."""


class Engine(Protocol):
    """Where board work runs: threads here, or workers elsewhere."""

    def map(
        self,
        func: Callable[[Item], Result],
        items: Iterable[Item],
        at_once: AtOnce[Item],
        again: Again[Item, Result] = once,
    ) -> Iterator[Ok[Item, Result] | Failed[Item]]:
        """Work on all items and hand each over as it ends.

        `again` is asked about every result, in the caller's thread: where it gives another item
        and a pause in s, that item is worked on after the pause, and this result is not handed
        over. What is at work meanwhile is not waited for.
        """
        ...
