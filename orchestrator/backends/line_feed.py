"""The bytes of a program → its lines, handed over as they come."""

from __future__ import annotations

import re
from collections.abc import Callable

#: What ends a line, or one state of a progress bar; what follows a last `\\r` is not known yet.
_END = re.compile(rb"\r?\n|\r(?=[^\n])")


class LineFeed:
    """Keeps all that a program says and hands over each line once it is whole.

    The states of a progress bar are lines too; they keep the carriage return that ended them.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._text = bytearray()
        self._seen = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._text += chunk
        while end := _END.search(self._text, self._seen):
            state = end.group() == b"\r"
            line = self._text[self._seen : end.end() if state else end.start()]
            self._seen = end.end()
            if line != b"\r":
                self._on_line(line.decode(errors="replace"))

    def finish(self) -> bytes:
        """Hand over a last line that has no end, and give all bytes."""
        if self._seen < len(self._text):
            line, self._seen = self._text[self._seen :], len(self._text)
            self._on_line(line.decode(errors="replace"))
        return bytes(self._text)
