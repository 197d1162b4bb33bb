"""What a board answers → values. A board is not trusted: every field is checked. Pure."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.domain import Json, Measurement
from orchestrator.untrusted import (
    an_object,
    integer,
    integer_or_none,
    integers,
    malformed,
    number,
    object_or_none,
    objects,
    sizes,
    text_or_none,
    texts,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: The largest tensor that is unpacked from a reply.
MAX_TENSOR_BYTES = 256 * 1024 * 1024
_MAX_AXES = 8
#: How a warm-up may have ended.
_WARMUPS = {"", "steady", "cap", "fixed"}
#: What a tensor from a board may be made of.
_DTYPES = {"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32"}


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a board's lease; `foreign`: not orch, but a program that leaves a lock as well."""

    token: int
    owner: str
    age_s: float
    ttl_s: float
    foreign: bool

    def __str__(self) -> str:
        """Who, since when and for how long, in words."""
        return f"{self.owner}, heard of {self.age_s:.0f} s ago, for {self.ttl_s:.0f} s at a time"


@dataclass(frozen=True, slots=True)
class Probe:
    """What lies on a board, and who holds it.

    Attributes:
        blobs: sizes of those of the asked blobs that are there.
        parts: bytes of what has been sent of payloads, by their sha256.
        have: all blobs that are there, as far as they are told.
        releases: ids of all releases that are there.
        encodings: in what a blob may be sent, beside raw.
        token: of the lease that this probe took; None: it took none.
        holder: who has the lease, if not we.
    """

    facts: Mapping[str, Json]
    blobs: Mapping[str, int]
    parts: Mapping[str, int]
    current: str | None
    previous: str | None
    have: Mapping[str, int]
    releases: tuple[str, ...]
    encodings: tuple[str, ...]
    token: int | None
    holder: Holder | None


def parse_probe(board: str, reply: Mapping[str, Json]) -> Probe:
    """Read the result of `probe`."""
    nothing: dict[str, Json] = {"have": {}, "releases": [], "encodings": []}
    reply = nothing | dict(reply)
    lease = object_or_none(board, reply, "lease")
    return Probe(
        facts=an_object(board, reply, "facts"),
        blobs=sizes(board, reply, "blobs"),
        parts=sizes(board, reply, "parts"),
        current=text_or_none(board, reply, "current"),
        previous=text_or_none(board, reply, "previous"),
        have=sizes(board, reply, "have"),
        releases=texts(board, reply, "releases"),
        encodings=texts(board, reply, "encodings"),
        token=None if lease is None else integer(board, lease, "token"),
        holder=parse_holder(board, reply),
    )


def parse_token(board: str, reply: Mapping[str, Json]) -> int:
    """Read the token that an acquired lease has."""
    return integer(board, an_object(board, reply, "lease"), "token")


def parse_holder(board: str, reply: Mapping[str, Json]) -> Holder | None:
    """Read who holds a board from the result of `probe` or `lease`."""
    holder = object_or_none(board, reply, "holder")
    if holder is None:
        return None
    return Holder(
        token=integer(board, holder, "token"),
        owner=text_or_none(board, holder, "owner") or "somebody",
        age_s=number(board, holder, "age_s"),
        ttl_s=number(board, holder, "ttl_s"),
        foreign=holder.get("foreign") is True,
    )


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was thrown away on a board, or would be."""

    blobs: int
    releases: tuple[str, ...]
    freed_bytes: int


def parse_cleaned(board: str, reply: Mapping[str, Json]) -> Cleaned:
    """Read the result of `gc`."""
    removed = an_object(board, reply, "removed")
    return Cleaned(
        blobs=len(texts(board, removed, "blobs")),
        releases=texts(board, removed, "releases"),
        freed_bytes=integer(board, reply, "freed_bytes"),
    )


def parse_moved(board: str, reply: Mapping[str, Json]) -> str:
    """Read what is the current release after `activate` or `rollback`."""
    current = text_or_none(board, reply, "current")
    if current is None:
        raise malformed(board, "current")
    return current


def parse_measurement(board: str, reply: Mapping[str, Json]) -> Measurement:
    """Read the result of `benchmark`; an instrument other than the agent tells less."""
    samples_ns = integers(board, reply, "samples_ns")
    block_sizes = integers(board, {"block_sizes": []} | dict(reply), "block_sizes")
    readings = objects(board, {"readings": []} | dict(reply), "readings")
    ended = text_or_none(board, reply, "warmup_ended") or ""
    if block_sizes and (0 in block_sizes or sum(block_sizes) != len(samples_ns)):
        raise malformed(board, "block_sizes")
    if readings and len(readings) != (len(block_sizes) or 1) + 1:
        raise malformed(board, "readings")
    if ended not in _WARMUPS:
        raise malformed(board, "warmup_ended")
    return Measurement(
        board=board,
        load_ns=_told(board, reply, "load_ns"),
        first_ns=_told(board, reply, "first_ns"),
        warmup_ns=integers(board, reply, "warmup_ns"),
        samples_ns=samples_ns,
        runtime=an_object(board, reply, "runtime"),
        before=an_object(board, reply, "before"),
        after=an_object(board, reply, "after"),
        block_sizes=block_sizes,
        readings=readings,
        parts_ns=_parts(board, reply, len(samples_ns)),
        overhead_ns=integer_or_none(board, reply, "overhead_ns"),
        warmup_ended=ended,
        left_cmm_bytes=integer_or_none(board, reply, "left_cmm_bytes"),
        after_first=object_or_none(board, reply, "after_first") or {},
    )


def _parts(board: str, reply: Mapping[str, Json], samples: int) -> dict[str, tuple[int, ...]]:
    """Read the parts of every sample, by name."""
    told = object_or_none(board, reply, "parts_ns") or {}
    parts = {name: integers(board, told, name) for name in told}
    if any(len(times) != samples for times in parts.values()):
        raise malformed(board, "parts_ns")
    return parts


def _told(board: str, reply: Mapping[str, Json], key: str) -> int | None:
    """Read a time that an instrument other than the agent need not tell."""
    other = "instrument" in an_object(board, reply, "runtime")
    return None if other and reply.get(key) is None else integer(board, reply, key)


def parse_outputs(board: str, reply: Mapping[str, Json]) -> list[dict[str, NDArray[np.generic]]]:
    """Read the result of `infer`: for each image, its output tensors by name."""
    outputs = reply.get("outputs")
    if not isinstance(outputs, list):
        raise malformed(board, "outputs")
    images = []
    for tensors in outputs:
        if not isinstance(tensors, dict):
            raise malformed(board, "outputs")
        images.append({name: _tensor(board, value) for name, value in tensors.items()})
    return images


def _tensor(board: str, value: Json) -> NDArray[np.generic]:
    import numpy as np  # most of what is asked of boards has no tensors

    if not isinstance(value, dict):
        raise malformed(board, "outputs")
    dtype, data = value.get("dtype"), value.get("data")
    shape = integers(board, value, "shape")
    if not isinstance(dtype, str) or dtype not in _DTYPES or not isinstance(data, str):
        raise malformed(board, "outputs")
    kind = np.dtype(dtype).newbyteorder("<")
    count = 1
    for axis in shape:
        count *= axis
    size = count * kind.itemsize
    if not 0 < size <= MAX_TENSOR_BYTES or len(shape) > _MAX_AXES:
        raise malformed(board, "outputs")
    try:
        raw = zlib.decompressobj().decompress(base64.b64decode(data, validate=True), size + 1)
    except (ValueError, zlib.error) as error:
        raise malformed(board, "outputs") from error
    if len(raw) != size:
        raise malformed(board, "outputs")
    return np.frombuffer(raw, dtype=kind).reshape(shape)
