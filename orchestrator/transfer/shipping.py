"""What is sent to a board of the blobs that it lacks, and how. What is done is what was planned."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from orchestrator.domain import Artifact, Board, Json
from orchestrator.errors import AgentError
from orchestrator.seams import Blobs, Transport
from orchestrator.transfer.ways import WORTH_SHARE, Encoded

if TYPE_CHECKING:
    from orchestrator.transfer.encoding import Encoder

Result = TypeVar("Result")

#: What one transfer may take: a start, and a slow link of 100 kB/s.
_TRANSFER_START_S, _SLOWEST_BYTES_PER_S = 60.0, 100_000.0


class Receiver(Protocol):
    """The part of an agent that sending needs."""

    @property
    def board(self) -> Board:
        """The board that receives."""
        ...

    @property
    def transport(self) -> Transport:
        """The open connection to it."""
        ...

    def incoming(self, sha256: str, /) -> str:
        """Say where a payload goes on the board."""
        ...

    def left(self, deadline_s: float, /) -> float:
        """Give what is left of a deadline. Raises DeadlineError where it is nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Shipment:
    """One blob on its way: what is sent for it, and from which byte on."""

    item: Artifact
    how: Encoded
    offset: int

    @property
    def to_send(self) -> int:
        """The bytes that go over the wire."""
        return self.how.size_bytes - self.offset

    def __str__(self) -> str:
        """What is sent and why it is so little, in words."""
        words = [f"{self.item.name}: {self.to_send:,} of {self.item.size_bytes:,} bytes"]
        if self.how.encoding == "delta" and self.how.base is not None:
            words.append(f"as a delta to {self.how.base[:12]}")
        elif self.how.encoding != "raw":
            words.append(f"packed by {self.how.encoding}")
        if self.offset:
            words.append(f"resumed at {self.offset:,}")
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a transfer came to, in bytes.

    Attributes:
        uplink_bytes: that went over the line to the board.
        site_bytes: that it fetched from another board of its site.
        blob_bytes: the size of the blobs that it did not have before.
    """

    uplink_bytes: int = 0
    site_bytes: int = 0
    blob_bytes: int = 0

    def __add__(self, other: Sent) -> Sent:
        return Sent(
            self.uplink_bytes + other.uplink_bytes,
            self.site_bytes + other.site_bytes,
            self.blob_bytes + other.blob_bytes,
        )


def plan_transfer(
    items: Sequence[Artifact],
    have: Mapping[str, int],
    parts: Mapping[str, int],
    encodings: Collection[str],
    encoder: Encoder,
    link_bytes_per_s: float | None = None,
) -> tuple[Shipment, ...]:
    """Choose for each blob that is missing the way that sends the fewest bytes.

    Args:
        items: what the board is to have; those of them in `have` are left out.
        have: sizes of all blobs that are on the board, by sha256.
        parts: bytes that were sent of payloads before, by the payload's sha256.
        encodings: what the board unpacks, beside raw.
        encoder: makes the payloads, so that their sizes are known before anything is sent.
        link_bytes_per_s: what the line is known to carry; it decides whether packing pays.
    """
    missing = {item.sha256: item for item in items if item.sha256 not in have}
    return tuple(
        _choose(item, parts, encoder.ways(item, have, encodings, link_bytes_per_s))
        for item in missing.values()
    )


def _choose(item: Artifact, parts: Mapping[str, int], ways: Iterable[Encoded]) -> Shipment:
    best: Shipment | None = None
    for how in ways:
        sent = parts.get(how.payload, 0)
        this = Shipment(item, how, sent if sent <= how.size_bytes else 0)
        # What has to be unpacked has to be worth it; the first way is the blob as it is.
        if best is None or this.to_send < best.to_send * WORTH_SHARE:
            best = this
    assert best is not None  # noqa: S101 - the blob as it is always is a way
    return best


def send(agent: Receiver, shipments: Sequence[Shipment], blobs: Blobs) -> Sent:
    """Send what was planned to where the board unpacks it. Raises Unreachable, DeadlineError."""
    sent = Sent()
    for one in shipments:
        if one.to_send:
            deadline_s = agent.left(_TRANSFER_START_S + one.to_send / _slowest(agent.board))
            path = agent.incoming(one.how.payload)
            source = nullcontext(one.how.path) if one.how.path else blobs.open(one.item.sha256)
            with source as local:
                wired = agent.transport.put(local, path, one.offset, deadline_s=deadline_s)
            sent += Sent(uplink_bytes=wired)
        sent += Sent(blob_bytes=one.item.size_bytes)
    return sent


def _slowest(board: Board) -> float:
    """Give the rate, in bytes per second, below which a transfer has failed."""
    # Half: a limit is approached from below.
    return min(_SLOWEST_BYTES_PER_S, (board.limit_bytes_per_s or math.inf) / 2)


def unpacking(shipments: Sequence[Shipment]) -> list[Json]:
    """Say to `stage` and `activate` what the blobs are made of."""
    return [
        {
            "sha256": one.item.sha256,
            "size_bytes": one.item.size_bytes,
            "encoding": one.how.encoding,
            "payload": one.how.payload,
            **({"base": one.how.base} if one.how.base else {}),
        }
        for one in shipments
    ]


def deliver(
    agent: Receiver,
    shipments: Sequence[Shipment],
    encoder: Encoder,
    commit: Callable[[list[Json]], Result],
    look_again: Callable[[], tuple[Shipment, ...]],
) -> tuple[Result, Sent]:
    """Send what was planned and have it made into blobs by `commit`; once more where that fails.

    `commit` asks the board to `stage`. Where the board finds that what it got is not what it should
    be, it has thrown that away, and what `look_again` plans, without deltas, is sent instead.
    """
    sent = send(agent, shipments, encoder.blobs)
    try:
        return commit(unpacking(shipments)), sent
    except AgentError as error:
        if error.code != "HASH_MISMATCH":
            raise
    for one in shipments:
        encoder.forget(one.how)
    plain = look_again()
    again = send(agent, plain, encoder.blobs)
    return commit(unpacking(plain)), sent + replace(again, blob_bytes=0)
