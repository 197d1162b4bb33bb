"""`ax650-[01-16]`, `rack[a-c]`, `sw[1,4,7-9]`, `ax650-*` → names. Pure.

Only brackets make a range; `*` and `?` are globs. A bracket is never a glob's set of characters:
`ax650-[01-16]` are sixteen names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from itertools import product

#: What a board, fleet, site, switch or toolchain may be called: names become files and labels.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
#: More names than this in one text are a slip of the finger.
MOST_NAMES = 10_000
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_NUMBERS = re.compile(r"(\d{1,9})-(\d{1,9})")
_LETTERS = re.compile(r"([a-z])-([a-z])|([A-Z])-([A-Z])")
_SINGLE = re.compile(r"[A-Za-z0-9]+")


def is_range(text: str) -> bool:
    """Say whether the text has a bracket, so that it stands for a list of names."""
    return "[" in text or "]" in text


def is_glob(text: str) -> bool:
    """Say whether the text is a pattern over names."""
    return "*" in text or "?" in text


def expand(text: str) -> tuple[str, ...]:
    """Give the names of a range in order, the last bracket counting fastest; others as they are.

    Raises:
        ValueError: a bracket cannot be read; the message says which and why.
    """
    parts = _BRACKET.split(text)
    if any(is_range(part) for part in parts[::2]):
        raise ValueError(f"{text!r}: a bracket is not closed, or stands in another")
    choices = [_choices(part) for part in parts[1::2]]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > MOST_NAMES:
        raise ValueError(f"{text!r} stands for {count:,} names, at most {MOST_NAMES:,} are allowed")
    fixed = parts[::2]
    return tuple(
        fixed[0] + "".join(one + after for one, after in zip(chosen, fixed[1:], strict=True))
        for chosen in product(*choices)
    )


def matcher(text: str) -> Callable[[str], bool]:
    """Give the test whether a name is meant by a name, a range or a glob. Raises ValueError."""
    patterns = expand(text)
    if is_glob(text):
        return lambda name: any(fnmatchcase(name, pattern) for pattern in patterns)
    return frozenset(patterns).__contains__


def _choices(inside: str) -> list[str]:
    """Read what stands in one bracket."""
    found: list[str] = []
    for part in inside.split(","):
        item = part.strip()
        if match := _NUMBERS.fullmatch(item):
            found += _numbers(match[1], match[2])
        elif match := _LETTERS.fullmatch(item):
            first, last = (ord(one) for one in match.groups() if one is not None)
            if first > last:
                raise ValueError(f"[{item}] goes backwards")
            found += map(chr, range(first, last + 1))
        elif _SINGLE.fullmatch(item):
            found.append(item)
        else:
            raise ValueError(f"[{inside}] is no range: write [01-16], [a-c] or [1,4,7-9]")
    return found


def _numbers(first: str, last: str) -> list[str]:
    padded = first.startswith("0") and len(first) > 1
    if padded and len(first) != len(last):
        raise ValueError(f"[{first}-{last}]: both ends of a padded range have as many digits")
    if not padded and last.startswith("0") and last != "0":
        raise ValueError(f"[{first}-{last}]: both ends of a padded range have as many digits")
    if int(first) > int(last):
        raise ValueError(f"[{first}-{last}] goes backwards")
    if int(last) - int(first) >= MOST_NAMES:
        raise ValueError(f"[{first}-{last}] is more than {MOST_NAMES:,} names")
    width = len(first) if padded else 0
    return [str(number).zfill(width) for number in range(int(first), int(last) + 1)]
