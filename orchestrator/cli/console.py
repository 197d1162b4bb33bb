"""What a person sees: progress on stderr, results on stdout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from orchestrator.domain import Json

#: Texts longer than this are folded into several lines.
_FOLDED = 40
#: Tables that go into a pipe or a file are not folded to 80 columns.
_WIDE = 200


def out() -> Console:
    """Give the console of results."""
    return Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)


def err() -> Console:
    """Give the console of progress and errors."""
    wide = None if sys.stderr.isatty() else _WIDE
    return Console(stderr=True, width=wide, highlight=False)


def print_json(value: Json) -> None:
    """Print a result for programs."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_facts(rows: Sequence[tuple[str, str]], *, console: Console) -> None:
    """Print names and values under each other."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(_escaped(name), _escaped(value))
    console.print(table)


def print_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, console: Console
) -> None:
    """Print a table; columns whose cells all look like numbers go to the right.

    Where it is too wide for the terminal, columns with one value throughout become a line; where
    that does not do, each row becomes a list.
    """
    shared = _shared_columns(header, rows, console.width)
    kept = [index for index in range(len(header)) if index not in shared]
    if title:
        console.print(title, style="bold", markup=False, soft_wrap=True)
    if shared:
        same = ", ".join(f"{header[index]} {_shared(rows, index)}" for index in shared)
        console.print(f"all rows: {same}", markup=False, soft_wrap=True)
    if sum(_width(header, rows, index) for index in kept) > console.width:
        for row in rows:
            print_facts([(header[index], row[index]) for index in kept], console=console)
            console.print()
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    for index in kept:
        numeric = bool(rows) and all(_is_number(row[index]) for row in rows)
        table.add_column(header[index], justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_styled(row[index]) for index in kept))
    console.print(table)


def _shared_columns(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Give the columns to leave out: none if the table fits, else those that tell nothing apart.

    An empty cell, of a board that failed say, tells nothing either.
    """
    everything = range(len(header))
    if sum(_width(header, rows, index) for index in everything) <= width or len(rows) == 1:
        return []
    return [index for index in everything if len({row[index] for row in rows} - {"-"}) <= 1]


def _shared(rows: Sequence[Sequence[str]], index: int) -> str:
    return next((row[index] for row in rows if row[index] != "-"), "-")


def _width(header: Sequence[str], rows: Sequence[Sequence[str]], index: int) -> int:
    """Give the room a column needs, with the gap behind it; long texts may be folded."""
    widest = max([len(header[index]), *(len(row[index]) for row in rows)])
    return min(widest, _FOLDED) + 3


def _is_number(cell: str) -> bool:
    return cell == "-" or cell.rstrip("%").replace(".", "", 1).replace(",", "").isdigit()


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


def _styled(cell: str) -> str:
    text = _escaped(cell)
    return f"[red]{text}[/red]" if cell.startswith("failed") else text


class LineProgress:
    """One line per event, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()

    def event(self, subject: str, message: str) -> None:
        """Print the event with the seconds since the start."""
        seconds = time.monotonic() - self._started
        self._console.print(
            f"{seconds:7.1f}s  {subject:<10} {message}", markup=False, soft_wrap=True
        )

    def advance(self, subject: str, label: str, done: float, total: float) -> None:
        """Say nothing: a log wants events."""

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print the table."""
        print_table(title, header, rows, console=self._console)


class LiveProgress(LineProgress):
    """The same lines above a spinner that shows what long work is at."""

    def __init__(self, console: Console, bar: Progress) -> None:
        super().__init__(console)
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}

    def event(self, subject: str, message: str) -> None:
        """Print the event and end the spinner of its subject."""
        if (task := self._tasks.pop(subject, None)) is not None:
            self._bar.remove_task(task)
        super().event(subject, message)

    def advance(self, subject: str, label: str, done: float, total: float) -> None:
        """Move the spinner or bar of a subject."""
        if subject not in self._tasks:
            self._bar.start()
            self._tasks[subject] = self._bar.add_task(subject, total=total or None)
        self._bar.update(
            self._tasks[subject],
            description=_escaped(f"{subject:<10} {label}"),
            completed=done,
            total=total or None,
        )


@contextmanager
def progress() -> Iterator[LineProgress]:
    """Give live progress on a terminal, lines elsewhere."""
    console = err()
    if not console.is_terminal:
        yield LineProgress(console)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    # It is drawn from its first task on: until then a question may be asked on the terminal.
    bar = Progress(*columns, console=console, transient=True)
    try:
        yield LiveProgress(console, bar)
    finally:
        bar.stop()
