"""The frame that the shell agent answers in, and its entries. Pure.

Whatever comes from a board may be wrong: a field that cannot be read makes a FrameError.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from board_agent.protocol import FrameError


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a frame, split at its first blank; `data` is what followed `bytes` or `text`."""

    key: str
    value: str
    data: bytes = b""


def read_frame(stdout: bytes, nonce: str) -> list[Entry]:
    """Find the frame with this nonce and give its entries, all or none. Raises FrameError."""
    begin, end = f"\nORCH-SH/2 begin {nonce}\n".encode(), f"ORCH-SH/2 end {nonce}"
    found = stdout.find(begin)
    if found < 0:
        raise FrameError(f"no frame in {len(stdout)} bytes")
    entries: list[Entry] = []
    at = found + len(begin)
    while (stop := stdout.find(b"\n", at)) >= 0:
        line, at = stdout[at:stop].decode("utf-8", "replace"), stop + 1
        if line == end:
            return entries
        key, _, value = line.partition(" ")
        data = b""
        if key == "bytes":
            value, size = named_size(value)
            data, at = stdout[at : at + size], at + size + 1
        elif key == "text":
            data, at = read_text(stdout, at)
        entries.append(Entry(key, value, data))
    raise FrameError("the frame is cut")


def read_text(data: bytes, at: int) -> tuple[bytes, int]:
    """Give the lines from `at` on that begin with `|`, without it, and where they end."""
    lines = []
    while data.startswith(b"|", at):
        stop = data.find(b"\n", at)
        stop = len(data) if stop < 0 else stop
        lines.append(data[at + 1 : stop])
        at = stop + 1
    return b"\n".join(lines), at


def texts(entries: Sequence[Entry]) -> dict[str, str]:
    """Give all texts by name."""
    return {
        entry.value: entry.data.decode("utf-8", "replace").strip()
        for entry in entries
        if entry.key == "text"
    }


def content(entries: Sequence[Entry], name: str) -> bytes:
    """Give the bytes of that name; none where there are none."""
    found = (e.data for e in entries if e.key == "bytes" and e.value == name)
    return next(found, b"")


def one(entries: Sequence[Entry], key: str) -> str | None:
    """Give what follows the key in the first line that begins with it."""
    return next((entry.value for entry in entries if entry.key == key), None)


def named_size(value: str) -> tuple[str, int]:
    """Read `name 12`."""
    name, _, size = value.rpartition(" ")
    return name, integer(size)


def integer(text: str) -> int:
    """Read a whole number that fits 64 bits."""
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise FrameError(f"{text!r:.40} is no whole number")
    return int(text)
