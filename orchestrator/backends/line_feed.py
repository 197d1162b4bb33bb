"""The bytes of a program → its lines, handed over as they come."""

from __future__ import annotations

from collections.abc import Callable


class LineFeed:
    """Keeps all that a program says and hands over each line once it is whole."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._text = bytearray()
        self._seen = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._text += chunk
        while (end := self._text.find(b"\n", self._seen)) >= 0:
            line, self._seen = self._text[self._seen : end], end + 1
            self._on_line(line.decode(errors="replace"))

    def finish(self) -> bytes:
        """Hand over a last line that has no end, and give all bytes."""
        if self._seen < len(self._text):
            line, self._seen = self._text[self._seen :], len(self._text)
            self._on_line(line.decode(errors="replace"))
        return bytes(self._text)
