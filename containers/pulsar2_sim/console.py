"""What a build prints, in the shape of the vendor's log.

Log lines and progress bars go to stderr, prints and tables to stdout; each is flushed at once, so
that a reader of both sees them in order.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")

#: rich has this many columns where there is no terminal.
COLUMNS = 80
_YAMAIN = "yamain."
#: Where the tool's modules lie: what stands for `yamain` in the places of log lines.
MODULES = ContextVar("MODULES", default="yamain")


def log(level: str, place: str, message: str) -> None:
    """Write one line as loguru does; `place` is `module:function:line`."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    millis = int(now % 1 * 1000)
    if place.startswith(_YAMAIN):
        place = f"{MODULES.get()}.{place.removeprefix(_YAMAIN)}"
    print(f"{stamp}.{millis:03d} | {level:<8} | {place} - {message}", file=sys.stderr, flush=True)


def say(text: str) -> None:
    """Print a line."""
    print(text, flush=True)


def step(name: str) -> None:
    """Say that a pass runs."""
    say(f"[{time.strftime('%H:%M:%S')}] {name} Running ...")


def finished(label: str, width: int = 40) -> None:
    """Draw a finished bar as rich does."""
    say(f"{label} {'━' * width} 100% 0:00:00")


def counted(label: str, count: int) -> None:
    """Draw a finished bar with its count, as the compiler does."""
    tail = f" {count}/{count} 0:00:00"
    say(f"{label}   {'━' * max(4, COLUMNS - len(label) - 3 - len(tail))}{tail}")


def progress(items: Sequence[Item], label: str) -> Iterator[Item]:
    """Hand over the items one by one below a bar that is redrawn with carriage returns."""
    started = time.monotonic()
    _draw_bar(label, 0, len(items), started)
    for done, item in enumerate(items, start=1):
        yield item
        _draw_bar(label, done, len(items), started)
    sys.stderr.write("\n")
    sys.stderr.flush()


def _draw_bar(label: str, done: int, total: int, started: float) -> None:
    share = done / total if total else 1.0
    spent = int(time.monotonic() - started)
    blocks = "█" * int(share * 10)
    clock = f"{spent // 60:02d}:{spent % 60:02d}"
    sys.stderr.write(f"\r{label}: {share:4.0%}|{blocks:<10}| {done}/{total} [{clock}<00:00, ?it/s]")
    sys.stderr.flush()


def op_table(
    info: str, tensors: Sequence[tuple[str, str]], ops: Sequence[tuple[str, int]], size_bytes: int
) -> str:
    """Give the table of a model: its inputs and outputs, its op types with their counts."""
    sections = [
        [("Model Name", "OnnxModel")],
        [("Model Info", info)],
        list(tensors),
        [(name, str(count)) for name, count in ops],
        [("Model Size", f"{size_bytes / 2**20:.2f} MB")],
    ]
    left = max(len(row[0]) for section in sections for row in section) + 2
    right = max(len(row[1]) for section in sections for row in section) + 2
    rule = f"+{'-' * left}+{'-' * right}+"
    lines = [rule]
    for section in sections:
        lines += [f"|{name:^{left}}|{value:^{right}}|" for name, value in section]
        lines.append(rule)
    return "\n".join(lines)


def quant_table(rows: Sequence[Sequence[str]]) -> str:
    """Give the Quant Config Table in 80 columns, cells wrapped and cut short as rich does."""
    header = ("Input", "Shape", "Dataset Directory", "Data Format", "Tensor Format", "Mean", "Std")
    widths = (7, 9, 9, 9, 9, 9, 8)
    bars = ["━" * (width + 2) for width in widths]
    lines = ["Quant Config Table".center(COLUMNS), f"┏{'┳'.join(bars)}┓"]
    lines += _wrapped(header, widths, "┃")
    lines.append(f"┡{'╇'.join(bars)}┩")
    for row in rows:
        lines += _wrapped(row, widths, "│")
    lines.append(f"└{'┴'.join('─' * (width + 2) for width in widths)}┘")
    return "\n".join(lines)


def _wrapped(cells: Sequence[str], widths: Sequence[int], edge: str) -> list[str]:
    columns = [_wrap(cell, width) for cell, width in zip(cells, widths, strict=True)]
    height = max(len(column) for column in columns)
    return [
        edge
        + edge.join(
            f" {column[line] if line < len(column) else '':<{width}} "
            for column, width in zip(columns, widths, strict=True)
        )
        + edge
        for line in range(height)
    ]


def _wrap(text: str, width: int) -> list[str]:
    lines: list[str] = [""]
    for word in text.split(" "):
        short = word if len(word) <= width else word[: width - 1] + "…"
        joined = f"{lines[-1]} {short}".strip()
        if len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(short)
    return lines
