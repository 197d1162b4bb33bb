"""`site=fra and npu3 and not ax650-07` → the boards that are meant. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from orchestrator.domain import Board
from orchestrator.errors import ConfigError
from orchestrator.name_ranges import matcher

_TOKEN = re.compile(r"[()]|[^\s()]+")
#: Blanks around these belong to the word: `site = fra, ber`.
_TIED = re.compile(r"\s*(!?=|,)\s*")
_WORD = re.compile(r"(?:([a-z]+)(!?=))?(.*)")
#: A comma in a bracket is part of a range.
_COMMA = re.compile(r",(?![^\[]*\])")
_SHOWN = 8
_EXAMPLE = "write: site=fra and npu3 and not ax650-07"

Test = Callable[[Board], bool]
_NAMES: dict[str, Callable[[Board], tuple[str, ...]]] = {
    "": lambda board: (board.name, *board.tags),
    "name": lambda board: (board.name,),
    "tag": lambda board: board.tags,
    "site": lambda board: (board.site,),
    "host": lambda board: (board.host,),
    "switch": lambda board: () if board.switch is None else (board.switch,),
}


def choose(
    boards: Sequence[Board], limit: str | None = None, exclude: str | None = None
) -> tuple[Board, ...]:
    """Give the boards that `--limit` means and `--exclude` does not, in their order.

    Raises:
        ConfigError: an expression cannot be read or means no board, or none is left.
    """
    chosen = tuple(boards) if limit is None else select(boards, limit)
    if exclude is None:
        return chosen
    # All boards, not the chosen ones: what is excluded need not be among those that are limited to.
    without = {board.name for board in select(boards, exclude, "--exclude")}
    left = tuple(board for board in chosen if board.name not in without)
    if not left:
        raise ConfigError(
            f"--exclude {exclude!r}: no board is left of {len(chosen)}", "exclude fewer"
        )
    return left


def select(boards: Sequence[Board], expression: str, option: str = "--limit") -> tuple[Board, ...]:
    """Give the boards that an expression means, in their order.

    A word is a board's name or a tag; `name=`, `tag=`, `site=`, `host=` and `switch=` look there
    alone, `!=` is the opposite. Each takes ranges (`ax650-[01-16]`), globs (`ax650-*`) and several
    values by comma. `not` binds before `and`, `and` before `or`; parentheses group.

    Raises:
        ConfigError: it cannot be read, or it or a word of it means no board at all.
    """
    reader = _Reader(boards, option, expression, _TOKEN.findall(_TIED.sub(r"\1", expression)))
    if not reader.tokens:
        raise reader.error("it is empty")
    wanted = reader.either()
    if reader.at < len(reader.tokens):
        raise reader.error(f"{reader.tokens[reader.at]!r} stands where `and` or `or` should")
    chosen = tuple(board for board in boards if wanted(board))
    if not chosen:
        raise ConfigError(
            f"{option} {expression!r}: none of {len(boards)} boards is all of this",
            "each word alone fits some board: orch fleet list shows sites and tags",
        )
    return chosen


@dataclass(slots=True)
class _Reader:
    """Recursive descent: or, and, not, word."""

    boards: Sequence[Board]
    option: str
    expression: str
    tokens: list[str]
    at: int = 0

    def either(self) -> Test:
        tests = [self.both()]
        while self.take("or"):
            tests.append(self.both())
        return lambda board: any(test(board) for test in tests)

    def both(self) -> Test:
        tests = [self.negated()]
        while self.take("and"):
            tests.append(self.negated())
        return lambda board: all(test(board) for test in tests)

    def negated(self) -> Test:
        negative = False
        while self.take("not"):
            negative = not negative
        test = self.group()
        return (lambda board: not test(board)) if negative else test

    def group(self) -> Test:
        if not self.take("("):
            return self.word()
        try:
            test = self.either()
        except RecursionError:
            raise self.error("it is nested too deeply") from None
        if not self.take(")"):
            raise self.error("a parenthesis is not closed")
        return test

    def word(self) -> Test:
        if self.at >= len(self.tokens):
            raise self.error("it ends where a board, tag or site should stand")
        token = self.tokens[self.at]
        if token in {"and", "or", ")"}:
            raise self.error(f"{token!r} stands where a board, tag or site should")
        self.at += 1
        kind, relation, values = self.parts(token)
        tests = [self.value(kind, value) for value in _COMMA.split(values)]
        if relation == "!=":
            return lambda board: not any(test(board) for test in tests)
        return lambda board: any(test(board) for test in tests)

    def parts(self, token: str) -> tuple[str, str, str]:
        """Split `site=fra` into kind, relation and values."""
        found = _WORD.fullmatch(token)
        kind, relation, values = found.groups(default="") if found else ("", "", token)
        if kind not in _NAMES or "=" in values:
            known = ", ".join(f"{name}=" for name in _NAMES if name)
            raise ConfigError(
                f"{self.option} {self.expression!r}: boards are not chosen by {token!r}",
                f"known: {known}",
            )
        return kind, relation, values

    def value(self, kind: str, value: str) -> Test:
        if not value:
            raise self.error("a value is missing beside `=` or a comma")
        try:
            fits = matcher(value)
        except ValueError as error:
            raise self.error(str(error)) from None
        names = _NAMES[kind]

        def test(board: Board) -> bool:
            return any(map(fits, names(board)))

        if not any(map(test, self.boards)):
            raise self.unknown(kind, value)
        return test

    def take(self, token: str) -> bool:
        found = self.at < len(self.tokens) and self.tokens[self.at] == token
        self.at += found
        return found

    def error(self, problem: str) -> ConfigError:
        return ConfigError(f"{self.option} {self.expression!r}: {problem}", _EXAMPLE)

    def unknown(self, kind: str, value: str) -> ConfigError:
        """Say that a word means nothing, and what it may have been."""
        known = sorted({name for board in self.boards for name in _NAMES[kind](board)})
        near = get_close_matches(value, known, n=3)
        if not near and not kind and any(board.site == value for board in self.boards):
            near = [f"site={value}"]
        hint = f"did you mean {', '.join(near)}?" if near else _listed(known)
        return ConfigError(
            f"{self.option} {self.expression!r}: of {len(self.boards)} boards none has the "
            f"{kind or 'name or tag'} {value!r}",
            hint,
        )


def _listed(known: Sequence[str]) -> str:
    if not known:
        return "no board has any"
    more = f", and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return f"known: {', '.join(known[:_SHOWN])}{more}"
