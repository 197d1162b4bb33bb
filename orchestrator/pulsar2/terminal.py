"""What a program wrote to its terminal, as lines: colours, progress bars and odd bytes undone."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

#: Cursor moves and colours, window titles and links, then the short sequences.
_ANSI = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,4000}(?:\x07|\x1b\\)|[ -/]+[0-~]|[0-Z\\^_`a-~])"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_END = re.compile(r"[\r\n]+")
#: Two writers share the terminal: a stamped line may begin right behind a bar.
_STAMP = re.compile(
    r"(?<=[^\s])\s*(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d+)? ?\| ?[A-Z]+ *\|"
    r"|\[\d\d:\d\d:\d\d\] )"
)
#: No line that tells anything is longer; what is beyond is not kept.
_LONGEST = 64 * 1024


def without_ansi(text: str) -> str:
    """Take out colours, cursor moves and other escape sequences."""
    return _ANSI.sub("", text)


def plain_lines(text: str) -> list[str]:
    """Split a log into lines without colours, keeping the last state of each progress bar."""
    lines = without_ansi(text).replace("\r\n", "\n").split("\n")
    return [line.rstrip("\r").rsplit("\r", 1)[-1].rstrip() for line in lines]


def as_written(line: str) -> str:
    """Give a line as it stood in the stream: a bar's state has its carriage return already."""
    return line if line.endswith("\r") else f"{line}\n"


class LineSplitter:
    """Cuts a stream into the states of its lines, as they become visible.

    Each state of a progress bar is a line of its own. Chunks may end anywhere, within a character
    or an escape sequence too.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._begun = ""

    def feed(self, chunk: str | bytes) -> Iterator[str]:
        """Give the lines that this chunk ends."""
        text = chunk if isinstance(chunk, str) else self._decoder.decode(chunk)
        start = 0
        for end in _END.finditer(text):
            yield from self._lines(self._begun + text[start : end.start()])
            self._begun = ""
            start = end.end()
        self._begun = (self._begun + text[start:])[:_LONGEST]

    def close(self) -> Iterator[str]:
        """Give the line that was never ended."""
        rest, self._begun = self._begun + self._decoder.decode(b"", final=True), ""
        yield from self._lines(rest)

    @staticmethod
    def _lines(line: str) -> Iterator[str]:
        plain = _CONTROL.sub("", without_ansi(line[:_LONGEST]))
        for part in _STAMP.split(plain):
            if part.strip():
                yield part.rstrip()
