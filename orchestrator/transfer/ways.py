"""What one way to send a blob is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Encoding = Literal["raw", "zlib", "lzma", "delta"]

#: A packed blob or a delta has to be this much smaller than the next best way.
WORTH_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Encoded:
    """One way to send a blob; `path` is what is sent, None where that is the blob itself.

    `name` is that of the payload where it is kept.
    """

    encoding: Encoding
    payload: str
    size_bytes: int
    base: str | None = None
    path: Path | None = None
    name: str = ""
