"""How samples, and what has no columns of its own, are packed in the ledger."""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from typing import Any


def pack_json(values: object) -> bytes:
    """Compress what JSON can hold."""
    return zlib.compress(json.dumps(values, separators=(",", ":")).encode())


def unpack_json(data: bytes) -> Any:
    """Give the values of `pack_json`."""
    return json.loads(zlib.decompress(data))


def pack_samples(samples_ns: tuple[int, ...]) -> bytes:
    """Compress samples: zlib of little-endian 64-bit integers."""
    numbers = array("q", samples_ns)
    if sys.byteorder == "big":
        numbers.byteswap()
    return zlib.compress(numbers.tobytes())


def unpack_samples(data: bytes) -> tuple[int, ...]:
    """Give the samples of `pack_samples`."""
    numbers = array("q", zlib.decompress(data))
    if sys.byteorder == "big":
        numbers.byteswap()
    return tuple(numbers)
