"""The part of a log that tells why a build failed. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.pulsar2.log import LogReader, find_cause
from orchestrator.pulsar2.terminal import plain_lines

#: Lines before a traceback that may belong to it, and lines that are looked at without one.
_BEFORE = 20
_LAST = 40
#: No line is read any further.
_WIDEST = 4_000
_LONGEST_CAUSE = 300
_CODE = re.compile(r"CodeException: \(<ErrorCode\.(\w{1,60}): \d+>")
_EXCEPTION = re.compile(r"(?:\w{1,60}\.){0,12}\w{0,80}(?:Error|Exception)\b")
_TRACEBACK = "Traceback (most recent call last)"
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
_QUOTED = re.compile(r"(?P<before>.*?\b\w+)\((?P<quote>['\"])(?P<inner>.*)")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a log ends with.

    Attributes:
        lines: the failing part: the last chain of tracebacks with what stands around it, or the
            last lines.
        last_words: the last exception alone; no lines if there is none.
        error: the vendor's class of error; empty if the log has none.
        cause: the best line, shortened.
        exception: the failing part has an exception.
        place: phase and step that the build was at; empty for a log without any.
        complete: the log has its last line.
    """

    lines: tuple[str, ...]
    last_words: tuple[str, ...]
    error: str
    cause: str
    exception: bool
    place: str
    complete: bool


def gather(text: str) -> Evidence:
    """Collect what a log says of a failure."""
    lines = [line[:_WIDEST] for line in plain_lines(text) if line.strip()]
    place, complete = _place(text)
    # What was raised on the way of a build that came to its end did not end it.
    part = lines[-_LAST:] if complete else lines[_start(lines) :]
    coded = [] if complete else [line for line in part if _CODE.search(line)]
    raised = [] if complete else [line for line in part if _EXCEPTION.match(line.strip())]
    last = (coded or raised)[-1:]
    found = _CODE.search(last[0]) if coded else None
    return Evidence(
        lines=tuple(part),
        last_words=tuple(last),
        error=found[1] if found else "",
        cause=_shortened(find_cause("\n".join(part))) if part else "",
        exception=bool(last),
        place=place,
        complete=complete,
    )


def _start(lines: Sequence[str]) -> int:
    """Give the line that the failing part begins with."""
    starts = [number for number, line in enumerate(lines) if _TRACEBACK in line]
    if not starts:
        return max(0, len(lines) - _LAST)
    while len(starts) > 1 and lines[starts[-1] - 1].startswith(_CHAINED):
        starts.pop()
    return max(0, starts[-1] - _BEFORE)


def _place(text: str) -> tuple[str, bool]:
    """Give where the build was at, and whether it came to its end."""
    reader = LogReader()
    reader.feed(text)
    reader.close()
    step = reader.last_step
    if step is None:
        return "", False
    return step.shown, reader.facts().complete


def _shortened(cause: str) -> str:
    """Turn `X("a` with more lines behind it into `X: a`; the log shows line feeds as escapes."""
    first = cause.split("\\n", 1)[0]
    if found := _QUOTED.fullmatch(first):
        inner = found["inner"].rstrip(")").rstrip(",").removesuffix(found["quote"])
        first = f"{found['before']}: {inner}"
    return first.strip()[:_LONGEST_CAUSE]
