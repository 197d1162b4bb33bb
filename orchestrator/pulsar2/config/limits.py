"""What a value of the build config must be beyond its type: annotations that can judge."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@runtime_checkable
class Limit(Protocol):
    """Says what is wrong with a value of the right type; nothing is wrong: an empty text."""

    def problem(self, value: object) -> str:
        """Give the problem as the rest of the sentence `key: …`."""
        ...


@dataclass(frozen=True, slots=True)
class Within:
    """A number from `least` to `most`, both allowed, or one of `also`."""

    least: float
    most: float = float("inf")
    also: tuple[float, ...] = ()

    def problem(self, value: object) -> str:
        """Name the range."""
        number = float(value) if isinstance(value, int | float) else self.least
        if self.least <= number <= self.most or number in self.also:
            return ""
        upper = f"{self.least:g} or more" if self.most == float("inf") else ""
        words = [*(f"{one:g}" for one in self.also), upper or f"{self.least:g} to {self.most:g}"]
        return f"{value} is not {' or '.join(words)}"


@dataclass(frozen=True, slots=True)
class Above:
    """A number above `bound`."""

    bound: float

    def problem(self, value: object) -> str:
        """Name the bound."""
        good = isinstance(value, int | float) and value > self.bound
        return "" if good else f"{value} is not above {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Length:
    """A list of `exactly` so many items (or of none), or of an `even` number of them."""

    exactly: int | None = None
    even: bool = False

    def problem(self, value: object) -> str:
        """Name the length found and the one wanted."""
        count = len(value) if isinstance(value, tuple) else 0
        if self.exactly is not None and count not in {0, self.exactly}:
            return f"has {count} numbers, must have {self.exactly}"
        if self.even and count % 2:
            return f"has {count} numbers, must be pairs: the start and the end of each axis"
        return ""


@dataclass(frozen=True, slots=True)
class Fits:
    """A text of a form, or an empty one; `words` describe the form."""

    pattern: str
    words: str

    def problem(self, value: object) -> str:
        """Name the form."""
        good = value == "" or re.fullmatch(self.pattern, str(value))
        return "" if good else f"{value!r} is not {self.words}"


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers that the first values of an enum have; what follows has none that is known."""

    numbers: tuple[int, ...]
