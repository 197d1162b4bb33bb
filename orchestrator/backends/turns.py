"""Whose turn it is: no more items at once than there may be, in all and of each group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Generic, TypeVar

from orchestrator.parallel import AtOnce

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """The items that wait, in their order; not safe for threads."""

    def __init__(self, items: Iterable[Item], at_once: AtOnce[Item]) -> None:
        self._waiting = list(items)
        self._stopped = False
        self._at_once = at_once
        self._running = 0
        self._running_of: Counter[str] = Counter()

    def add(self, item: Item) -> None:
        """Let one more item wait."""
        if not self._stopped:
            self._waiting.append(item)

    def begin(self) -> list[Item]:
        """Take all items that may begin now; one that may not does not hold up those behind it."""
        begun: list[Item] = []
        still: list[Item] = []
        for item in self._waiting:
            groups = self._at_once.groups(item)
            if self._running < self._at_once.in_all and all(map(self._has_room, groups)):
                self._running += 1
                self._running_of.update(groups)
                begun.append(item)
            else:
                still.append(item)
        self._waiting = still
        return begun

    def end(self, item: Item) -> None:
        """Make room: an item has ended."""
        self._running -= 1
        self._running_of.subtract(self._at_once.groups(item))

    def stop(self) -> None:
        """Let no further item begin."""
        self._waiting, self._stopped = [], True

    def _has_room(self, group: str) -> bool:
        most = self._at_once.of_group.get(group)
        return most is None or self._running_of[group] < most
