"""The delta between two versions of a file, as the agent applies it (board_agent/patch.py).

Format, version 1; numbers are little-endian::

    "ORCHDLT1"  sha256 and u64 size of the base, sha256 and u64 size of the target
    u8 compression of the rest: 1 zlib, 2 lzma (.xz)

    operations until the target has its size, each a LEB128 number, `count * 4 + kind`:
      0 DATA   the next `count` bytes of the target follow; the cursor in the base moves on, too
      1 COPY   `count` bytes are those at the cursor
      2 XOR    `count` bytes follow, and are the target's when XORed with those at the cursor
      3 SEEK   the cursor moves: `count` is zigzag coded

Weights that were replaced in place leave the cursor where it belongs, so that scattered changes
cost three or four bytes each; weights that changed a little are small when XORed with the old ones.
"""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from orchestrator.transfer.matching import Bytes, Runs, find_runs

#: Part of the name that a cached delta has: another number where other bytes would be written.
FORMAT = 1
MAGIC = b"ORCHDLT1"
HEADER = struct.Struct("<8s32sQ32sQB")
ZLIB, LZMA = 1, 2
DATA, COPY, XOR, SEEK = range(4)

Compression = Literal["zlib", "lzma"]

#: Gaps are looked at in pieces of this size, so that memory stays constant.
_PIECE_BYTES = 1 << 18
_SAMPLE_BYTES = 1 << 12
#: Smaller gaps are not worth the question whether XOR makes them smaller.
_LEAST_XOR_BYTES = 1 << 10
_FLUSH_BYTES = 1 << 16
#: More bytes than these that the base has not got are packed fast.
_LARGE_BYTES = 8 << 20
#: xz with a dictionary of 1 MiB: what the board needs of memory to unpack it.
LZMA_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 20}]


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def write_delta(
    base: tuple[str, Path], target: tuple[str, Path], into: Path, compression: Compression
) -> int:
    """Write what makes `target` of `base`, each (sha256, file); give the number of bytes.

    Both files are mapped, not read: beyond the page cache this takes some 50 MB for any size.
    `lzma` is for where the board has it; what is large is packed by zlib all the same.
    """
    old, new = map_bytes(base[1]), map_bytes(target[1])
    found = list(find_runs(old, new))
    unknown = new.size - sum(int(runs.lengths.sum()) for runs in found)
    packer, squeeze = _packer(compression, unknown)
    with into.open("wb") as stream:
        ids = (bytes.fromhex(base[0]), old.size, bytes.fromhex(target[0]), new.size)
        stream.write(HEADER.pack(MAGIC, *ids, packer))
        for part in _batches(_operations(old, new, found)):
            stream.write(squeeze.compress(part))
        stream.write(squeeze.flush())
        return stream.tell()


def _packer(compression: Compression, unknown_bytes: int) -> tuple[int, _Compressor]:
    if unknown_bytes > _LARGE_BYTES:
        # Weights that changed a little have no repeats to look for, but few values: looking for
        # runs alone is ten times as fast and smaller.
        return ZLIB, zlib.compressobj(6, strategy=zlib.Z_RLE)
    if compression == "lzma":
        return LZMA, lzma.LZMACompressor(filters=LZMA_FILTERS)
    return ZLIB, zlib.compressobj(6)


def map_bytes(path: Path) -> Bytes:
    """Give a file's content without reading it."""
    if path.stat().st_size == 0:  # nothing can be mapped
        return np.zeros(0, np.uint8)
    return np.memmap(path, np.uint8, "r")


def _batches(parts: Iterator[bytes]) -> Iterator[bytes]:
    batch = bytearray()
    for part in parts:
        batch += part
        if len(batch) >= _FLUSH_BYTES:
            yield bytes(batch)
            batch.clear()
    yield bytes(batch)


def _operations(base: Bytes, target: Bytes, found: Iterable[Runs]) -> Iterator[bytes]:
    position = shift = 0  # the cursor is always at `position + shift`
    for start, length, new_shift in _merged(found):
        yield from _gap(base, target, position, start, shift)
        if new_shift != shift:
            step = new_shift - shift
            yield operation(SEEK, step * 2 if step >= 0 else -step * 2 - 1)
            shift = new_shift
        yield operation(COPY, length)
        position = start + length
    yield from _gap(base, target, position, target.size, shift)


def _merged(found: Iterable[Runs]) -> Iterator[tuple[int, int, int]]:
    """Give runs as (start, length, shift), those that touch as one."""
    last_start = last_length = last_shift = 0
    for runs in found:
        for start, length in zip(runs.starts.tolist(), runs.lengths.tolist(), strict=True):
            if start == last_start + last_length and runs.shift == last_shift:
                last_length += length
                continue
            if last_length:
                yield last_start, last_length, last_shift
            last_start, last_length, last_shift = start, length, runs.shift
    if last_length:
        yield last_start, last_length, last_shift


def _gap(base: Bytes, target: Bytes, start: int, stop: int, shift: int) -> Iterator[bytes]:
    """Give the operations for bytes that are not in the base."""
    for low in range(start, stop, _PIECE_BYTES):
        high = min(low + _PIECE_BYTES, stop)
        new = target[low:high]
        if high - low >= _LEAST_XOR_BYTES and low + shift >= 0 and high + shift <= base.size:
            changed = new ^ base[low + shift : high + shift]
            if _compressed_size(changed) < _compressed_size(new):
                yield operation(XOR, high - low) + changed.tobytes()
                continue
        yield operation(DATA, high - low) + new.tobytes()


def _compressed_size(data: Bytes) -> int:
    middle = max(0, data.size - _SAMPLE_BYTES) // 2
    return len(zlib.compress(data[middle : middle + _SAMPLE_BYTES].tobytes(), 1))


def operation(kind: int, count: int) -> bytes:
    """Give the code of one operation."""
    number, code = count * 4 + kind, bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        code.append(number & 0x7F | 0x80)
        number >>= 7
    code.append(number)
    return bytes(code)
