"""What came of an errand on each board, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from orchestrator.domain import Json
    from orchestrator.fleet.errands import Answer

T = TypeVar("T")


def print_answers(
    title: str,
    header: Sequence[str],
    answers: Sequence[Answer[T]],
    cells: Callable[[T], Sequence[str]],
    *,
    json: bool,
) -> None:
    """Print a row for each board and exit: 1 when one of them failed.

    `header` names the `cells` of a value, which stand between the board and its problem.
    """
    from orchestrator.cli.console import out, print_json, print_table

    if json:
        print_json([plain(one) for one in answers])
    else:
        rows = [
            (
                one.board,
                *(cells(one.value) if one.value is not None else ["-"] * len(header)),
                f"{one.error} ({one.hint})" if one.hint else one.error,
            )
            for one in answers
        ]
        print_table(title, ("board", *header, "problem"), rows, console=out())
    raise typer.Exit(1 if any(one.error for one in answers) else 0)


def plain(one: Answer[T]) -> dict[str, Json]:
    """Give a board's answer as plain values: the fields of its value beside what went wrong."""
    from orchestrator.hashing import as_json

    value = as_json(one.value)
    fields = value if isinstance(value, dict) else {}
    problem: dict[str, Json] = {
        "error_code": one.error_code,
        "error": one.error,
        "hint": one.hint,
    }
    return {"board": one.board} | fields | problem
