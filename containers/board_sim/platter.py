"""A disk that loses power: what is sure to be on it, and everything that may be left of the rest.

Nothing but what was synced is sure to survive: a file's bytes by a sync of the file, a name by a
sync of its folder. Whatever else was done may be there after the cut, or not, in any combination.
A rename is one step, as on every journaling file system.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

#: Up to this many steps that are not sure, every combination is tried; above, those at the edges.
_ALL_COMBINATIONS = 5

#: Paths below the disk's root → bytes of a file, target of a link, None for a folder.
Tree = dict[str, bytes | str | None]
#: One change of a folder: (folder, name, what gets the name or None).
Change = tuple[int, str, int | None]
LOST: dict[str, Callable[[bytes, bytes], bytes]] = {
    "kept": lambda _synced, written: written,
    "lost": lambda synced, _written: synced,
    "cut": lambda _synced, written: written[: len(written) // 2],
}


@dataclass
class Platter:
    """What is sure and what is not; folders, files and links are numbered, 0 is the root."""

    names: dict[int, dict[str, int]] = field(default_factory=lambda: {0: {}})
    pending: list[list[Change]] = field(default_factory=list)
    written: dict[int, bytes] = field(default_factory=dict)
    synced: dict[int, bytes] = field(default_factory=dict)
    links: dict[int, str] = field(default_factory=dict)
    last: int = 0

    def new(self) -> int:
        """Give a number to a new file, folder or link."""
        self.last += 1
        return self.last

    def copy(self) -> Platter:
        """Give the disk as it is now, whatever comes."""
        names = _applied(self.names, [])
        flat = (dict(self.written), dict(self.synced), dict(self.links))
        return Platter(names, list(self.pending), *flat, self.last)

    def now(self) -> dict[int, dict[str, int]]:
        """The names as running programs see them."""
        return _applied(self.names, self.pending)

    def find(self, path: Path) -> int:
        """Give the number of what running programs see at `path`."""
        number, names = 0, self.now()
        for part in path.parts:
            number = names[number][part]
        return number

    def sync_names(self, folder: int) -> None:
        """Make everything that was done to the names of a folder sure."""
        sure = [step for step in self.pending if any(change[0] == folder for change in step)]
        self.names = _applied(self.names, sure)
        self.pending = [step for step in self.pending if step not in sure]

    def after_a_cut(self, *, extremes: bool = False) -> Iterator[Tree]:
        """Every disk that may be found when the power comes back, or the worst and the best."""
        every = list(range(len(self.pending)))
        for chosen in [[], every] if extremes else _combinations(every):
            names = _applied(self.names, [self.pending[index] for index in chosen])
            for left in LOST.values():
                yield self._tree(names, left)

    def _tree(
        self, names: dict[int, dict[str, int]], left: Callable[[bytes, bytes], bytes]
    ) -> Tree:
        found: Tree = {}

        def walk(folder: int, above: str) -> None:
            for name, number in names[folder].items():
                path = f"{above}{name}"
                if number in names:
                    found[path] = None
                    walk(number, path + "/")
                elif number in self.links:
                    found[path] = self.links[number]
                elif self.written[number] == self.synced.get(number):
                    found[path] = self.written[number]
                else:
                    found[path] = left(self.synced.get(number, b""), self.written[number])

        walk(0, "")
        return found


def _applied(
    names: dict[int, dict[str, int]], steps: list[list[Change]]
) -> dict[int, dict[str, int]]:
    result = {number: dict(entries) for number, entries in names.items()}
    for step in steps:
        for folder, name, number in step:
            if number is None:
                result.setdefault(folder, {}).pop(name, None)
            else:
                result.setdefault(folder, {})[name] = number
    return result


def _combinations(every: list[int]) -> list[list[int]]:
    count = len(every)
    if count <= _ALL_COMBINATIONS:
        return [[i for i in every if chosen >> i & 1] for chosen in range(2**count)]
    edges = [every[:i] for i in range(count + 1)] + [every[i:] for i in every]
    return edges + [[i] for i in every] + [[j for j in every if j != i] for i in every]
