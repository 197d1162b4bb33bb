"""Apply a delta: one pass, memory that does not grow with the files, standard library alone.

The format is described in orchestrator/transfer/delta.py. Nothing in a delta is trusted: whatever
it says, no more than the promised size is written, and nothing outside the base is read.
"""

from __future__ import annotations

import struct
import zlib
from typing import IO, Any, Iterator, NamedTuple, Protocol

MAGIC = b"ORCHDLT1"
HEADER = struct.Struct("<8s32sQ32sQB")
ZLIB, LZMA = 1, 2
DATA, COPY, XOR, SEEK = range(4)

#: Bytes that are held at once, of each of base, delta and target.
PIECE_BYTES = 64 * 1024
#: What xz may take to unpack; its dictionary has 1 MiB.
LZMA_MEMORY_BYTES = 64 * 1024 * 1024
#: Nine times seven bits: more than any size.
_MAX_NUMBER_BYTES = 9


class DamagedError(ValueError):
    """The bytes are not what they should be."""


class Header(NamedTuple):
    """What a delta is for."""

    base_sha256: str
    base_bytes: int
    target_sha256: str
    target_bytes: int
    compression: int


class Sink(Protocol):
    """Where the target goes."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes."""


def read_header(delta: IO[bytes]) -> Header:
    """Read the beginning of a delta. Raises DamagedError."""
    data = delta.read(HEADER.size)
    if len(data) < HEADER.size or not data.startswith(MAGIC):
        raise DamagedError("it does not begin as a delta of version 1")
    _, base, base_bytes, target, target_bytes, compression = HEADER.unpack(data)
    return Header(base.hex(), base_bytes, target.hex(), target_bytes, compression)


def apply(delta: IO[bytes], header: Header, base: IO[bytes], target: Sink) -> None:
    """Write the target; `delta` is behind its header. Raises DamagedError.

    What has been written is right only if its sha256 is.
    """
    inflow, cursor, missing = Inflow(delta, inflater(header.compression)), 0, header.target_bytes
    while missing:
        number = inflow.number()
        count, kind = number >> 2, number & 3
        if kind == SEEK:
            cursor += count >> 1 if not count & 1 else -(count >> 1) - 1
            continue
        if not 0 < count <= missing:
            raise DamagedError(f"an operation has {count} bytes, {missing} are to come")
        missing -= count
        if kind == DATA:
            for piece in _pieces(count):
                target.write(inflow.exactly(piece))
        else:
            if not 0 <= cursor <= header.base_bytes - count:
                raise DamagedError(f"it reads {count} bytes at {cursor} of {header.base_bytes}")
            base.seek(cursor)
            for piece in _pieces(count):
                old = base.read(piece)
                if len(old) != piece:
                    raise DamagedError("the base is shorter than it should be")
                target.write(old if kind == COPY else _xor(old, inflow.exactly(piece)))
        cursor += count


def inflater(compression: int) -> Any:
    """What unpacks a stream, with `decompress(data, limit)` and `eof`. Raises DamagedError."""
    if compression == ZLIB:
        return _Zlib()
    if compression == LZMA:
        import lzma  # not every build of Python has it

        return lzma.LZMADecompressor(lzma.FORMAT_XZ, LZMA_MEMORY_BYTES)
    raise DamagedError(f"its compression is {compression}, not 1 (zlib) or 2 (lzma)")


class _Zlib:
    """zlib with the manners of lzma: what is not unpacked yet is kept inside."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()
        self.needs_input = True

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was seen."""
        return self._stream.eof

    def decompress(self, data: bytes, limit: int) -> bytes:
        """At most `limit` more bytes."""
        out = self._stream.decompress(self._stream.unconsumed_tail + data, limit)
        # A full answer may have more behind it, even where no input is left over.
        self.needs_input = len(out) < limit
        return out


class Inflow:
    """The unpacked bytes of a stream, as many as are asked for."""

    def __init__(self, packed: IO[bytes], unpacker: Any) -> None:
        self._packed, self._unpacker = packed, unpacker
        self._ready, self._taken = b"", 0

    def some(self) -> bytes:
        """The next bytes, at most PIECE_BYTES; none at the end. Raises DamagedError."""
        while not self._unpacker.eof:
            data = self._packed.read(PIECE_BYTES) if self._unpacker.needs_input else b""
            ended = self._unpacker.needs_input and not data
            try:
                out = self._unpacker.decompress(data, PIECE_BYTES)
            except Exception as error:
                if isinstance(error, (zlib.error, EOFError, MemoryError)) or _is_lzma(error):
                    raise DamagedError(f"it cannot be unpacked: {error}") from error
                raise
            if out:
                return bytes(out)
            if ended:
                raise DamagedError("it is cut off")
        return b""

    def exactly(self, count: int) -> bytes:
        """The next `count` bytes. Raises DamagedError."""
        while len(self._ready) - self._taken < count:
            more = self.some()
            if not more:
                raise DamagedError("it ends too early")
            self._ready, self._taken = self._ready[self._taken :] + more, 0
        start = self._taken
        self._taken += count
        return self._ready[start : self._taken]

    def number(self) -> int:
        """The next LEB128 number. Raises DamagedError."""
        value = 0
        for index in range(_MAX_NUMBER_BYTES):
            byte = self.exactly(1)[0]
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
                return value
        raise DamagedError("a number in it does not end")


def _is_lzma(error: Exception) -> bool:
    return type(error).__name__ == "LZMAError"


def _pieces(count: int) -> Iterator[int]:
    for start in range(0, count, PIECE_BYTES):
        yield min(PIECE_BYTES, count - start)


def _xor(old: bytes, changed: bytes) -> bytes:
    value = int.from_bytes(old, "little") ^ int.from_bytes(changed, "little")
    return value.to_bytes(len(old), "little")
