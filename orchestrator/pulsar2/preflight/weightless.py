"""An ONNX file without its weights: megabytes are read where there are gigabytes.

Source: onnx.proto3; the numbers are those of its fields.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

#: More than a shape, an index or a scale is; what is longer is a weight.
_SMALL_BYTES = 4096

_Kind = Literal["model", "graph", "node", "attribute", "tensor"]
#: Message → the fields that may hold weights, and what they are.
_INSIDE: Mapping[_Kind, Mapping[int, _Kind]] = {
    "model": {7: "graph"},
    "graph": {1: "node", 5: "tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph"},
    "tensor": {},
}
#: float, int32, string, int64, raw, double and uint64 data of a tensor.
_DATA = {4, 5, 6, 7, 9, 10, 11}
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def read_weightless(path: Path) -> bytes:
    """Give the model as it is, with tensors of more than 4 KB left without their data.

    Raises:
        ValueError: it is no protobuf message, or is cut off.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        if not path.stat().st_size:
            return b""
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return b"".join(_kept(data, 0, len(data), "model"))


def _kept(data: mmap.mmap, start: int, end: int, kind: _Kind) -> Iterator[bytes]:
    """Give the bytes of a message, field by field."""
    position = start
    while position < end:
        key, after_key = _varint(data, position, end)
        field, wire = key >> 3, key & 7
        if wire != _LENGTH:
            after = _after(data, after_key, end, wire)
            yield data[position:after]
            position = after
            continue
        length, begin = _varint(data, after_key, end)
        after = begin + length
        if after > end:
            raise ValueError("it is cut off")
        inner = _INSIDE[kind].get(field)
        if length <= _SMALL_BYTES:
            yield data[position:after]
        elif inner is not None:
            content = b"".join(_kept(data, begin, after, inner))
            yield data[position:after_key] + _as_varint(len(content)) + content
        elif kind != "tensor" or field not in _DATA:
            yield data[position:after]
        position = after


def _after(data: mmap.mmap, position: int, end: int, wire: int) -> int:
    """Give where a field without a length ends."""
    if wire == _VARINT:
        return _varint(data, position, end)[1]
    sizes = {_FIXED64: 8, _FIXED32: 4}
    if wire not in sizes or position + sizes[wire] > end:
        raise ValueError("it is no protobuf message")
    return position + sizes[wire]


def _varint(data: mmap.mmap, position: int, end: int) -> tuple[int, int]:
    """Give a number and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            raise ValueError("it is cut off")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            return value, position
    raise ValueError("it is no protobuf message")


def _as_varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        written.append((value & 0x7F) | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
