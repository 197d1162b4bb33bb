"""What a board answers → values. A board is not trusted: every field is checked. Pure."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import Json, Measurement
from orchestrator.errors import AgentError

#: The largest tensor that is unpacked from a reply.
MAX_TENSOR_BYTES = 256 * 1024 * 1024
_MAX_AXES = 8
#: Larger numbers are no times or sizes, and the ledger has no room for them.
_MAX_INTEGER = 2**63 - 1
#: What a tensor from a board may be made of.
_DTYPES = {"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32"}


@dataclass(frozen=True, slots=True)
class Probe:
    """What lies on a board."""

    facts: Mapping[str, Json]
    blobs: Mapping[str, int]
    parts: Mapping[str, int]
    current: str | None
    previous: str | None


def parse_probe(board: str, reply: Mapping[str, Json]) -> Probe:
    """Read the result of `probe`."""
    return Probe(
        facts=_object(board, reply, "facts"),
        blobs=_sizes(board, reply, "blobs"),
        parts=_sizes(board, reply, "parts"),
        current=_name(board, reply, "current"),
        previous=_name(board, reply, "previous"),
    )


def parse_measurement(board: str, reply: Mapping[str, Json]) -> Measurement:
    """Read the result of `benchmark`."""
    return Measurement(
        board=board,
        load_ns=_integer(board, reply, "load_ns"),
        first_ns=_integer(board, reply, "first_ns"),
        warmup_ns=_integers(board, reply, "warmup_ns"),
        samples_ns=_integers(board, reply, "samples_ns"),
        runtime=_object(board, reply, "runtime"),
        before=_object(board, reply, "before"),
        after=_object(board, reply, "after"),
    )


def parse_outputs(board: str, reply: Mapping[str, Json]) -> list[dict[str, NDArray[np.generic]]]:
    """Read the result of `infer`: for each image, its output tensors by name."""
    outputs = reply.get("outputs")
    if not isinstance(outputs, list):
        raise _malformed(board, "outputs")
    images = []
    for tensors in outputs:
        if not isinstance(tensors, dict):
            raise _malformed(board, "outputs")
        images.append({name: _tensor(board, value) for name, value in tensors.items()})
    return images


def _tensor(board: str, value: Json) -> NDArray[np.generic]:
    if not isinstance(value, dict):
        raise _malformed(board, "outputs")
    dtype, data = value.get("dtype"), value.get("data")
    shape = _integers(board, value, "shape")
    if not isinstance(dtype, str) or dtype not in _DTYPES or not isinstance(data, str):
        raise _malformed(board, "outputs")
    kind = np.dtype(dtype).newbyteorder("<")
    count = 1
    for axis in shape:
        count *= axis
    size = count * kind.itemsize
    if not 0 < size <= MAX_TENSOR_BYTES or len(shape) > _MAX_AXES:
        raise _malformed(board, "outputs")
    try:
        raw = zlib.decompressobj().decompress(base64.b64decode(data, validate=True), size + 1)
    except (ValueError, zlib.error) as error:
        raise _malformed(board, "outputs") from error
    if len(raw) != size:
        raise _malformed(board, "outputs")
    return np.frombuffer(raw, dtype=kind).reshape(shape)


def _object(board: str, reply: Mapping[str, Json], key: str) -> dict[str, Json]:
    value = reply.get(key)
    if not isinstance(value, dict) or not _is_sound(value):
        raise _malformed(board, key)
    return value


def _is_sound(value: Json) -> bool:
    """Say whether all of it can be written down: no NaN, no endless number, no broken text."""
    rest = [value]
    while rest:
        match rest.pop():
            case str(text) if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
                return False
            case int() | float() as number if not abs(number) <= _MAX_INTEGER:
                return False
            case list(items):
                rest += items
            case dict(named):
                rest += [*named, *named.values()]
    return True


def _sizes(board: str, reply: Mapping[str, Json], key: str) -> dict[str, int]:
    values = _object(board, reply, key)
    return {name: _integer(board, values, name) for name in values}


def _name(board: str, reply: Mapping[str, Json], key: str) -> str | None:
    value = reply.get(key)
    if value is not None and not (isinstance(value, str) and _is_sound(value)):
        raise _malformed(board, key)
    return value


def _integer(board: str, reply: Mapping[str, Json], key: str) -> int:
    value = reply.get(key)
    if not _is_count(value):
        raise _malformed(board, key)
    return value


def _is_count(value: Json) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= _MAX_INTEGER


def _integers(board: str, reply: Mapping[str, Json], key: str) -> tuple[int, ...]:
    values = reply.get(key)
    if not isinstance(values, list):
        raise _malformed(board, key)
    numbers = tuple(value for value in values if _is_count(value))
    if len(numbers) != len(values):
        raise _malformed(board, key)
    return numbers


def _malformed(board: str, key: str) -> AgentError:
    return AgentError(
        f"{board}: its agent's reply has no usable {key!r}",
        "is something else answering in the agent's place?",
        "INTERNAL",
    )
