"""What is sent is what was planned, and it is as little as the board allows."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from board_agent.protocol import token_name
from orchestrator.agent import Agent
from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.domain import Artifact, Json
from orchestrator.errors import AgentError
from orchestrator.leases import leased, look
from orchestrator.replies import Probe
from orchestrator.transfer.encoding import Encoder
from orchestrator.transfer.payloads import Payloads
from orchestrator.transfer.shipping import Sent, Shipment, deliver, plan_transfer

ALL = ("zlib", "lzma", "delta")
OLD = np.random.default_rng(1).bytes(200_000)
NEW = OLD[:90_000] + b"a few new weights" + OLD[90_000:]
TEXT = b"the same words over and over " * 4000

Keep = Callable[[bytes, str], Artifact]
Plan = Callable[..., tuple[Shipment, ...]]


@pytest.fixture
def blobs(tmp_path: Path) -> FsspecBlobs:
    return FsspecBlobs(str(tmp_path / "cas"))


@pytest.fixture
def encoder(blobs: FsspecBlobs, tmp_path: Path) -> Encoder:
    return Encoder(blobs, Payloads(tmp_path / "payloads"))


@pytest.fixture
def keep(blobs: FsspecBlobs, tmp_path: Path) -> Keep:
    """Puts a content into the store."""

    def put(content: bytes, name: str) -> Artifact:
        path = tmp_path / "content"
        path.write_bytes(content)
        return blobs.put(path, name)

    return put


@pytest.fixture
def plan(encoder: Encoder) -> Plan:
    def make(
        *items: Artifact,
        have: Mapping[str, int] | None = None,
        parts: Mapping[str, int] | None = None,
        encodings: Collection[str] = ALL,
        link_bytes_per_s: float | None = None,
    ) -> tuple[Shipment, ...]:
        return plan_transfer(items, have or {}, parts or {}, encodings, encoder, link_bytes_per_s)

    return make


def of(artifact: Artifact) -> dict[str, int]:
    return {artifact.sha256: artifact.size_bytes}


def test_what_is_there_is_not_sent_and_nothing_twice(keep: Keep, plan: Plan) -> None:
    old, text = keep(OLD, "old"), keep(TEXT, "text")
    assert [one.item for one in plan(old, text, text, have=of(old))] == [text]


def test_noise_goes_as_it_is(keep: Keep, plan: Plan) -> None:
    (one,) = plan(keep(OLD, "old"))
    assert (one.how.encoding, one.to_send, one.how.payload) == ("raw", 200_000, one.item.sha256)


def test_what_packs_well_is_packed(keep: Keep, plan: Plan) -> None:
    (one,) = plan(keep(TEXT, "text"))
    assert one.how.encoding == "zlib"
    assert one.to_send < 2000


@pytest.mark.parametrize(
    ("link_bytes_per_s", "encodings", "chosen"),
    [
        (None, ALL, "zlib"),
        (1e9, ALL, "raw"),  # unpacking takes longer than sending
        (10e6, ALL, "zlib"),
        (0.5e6, ALL, "lzma"),
        (0.5e6, ("zlib",), "zlib"),
        (None, (), "raw"),
    ],
)
def test_packing_depends_on_the_line_and_the_board(
    keep: Keep, plan: Plan, link_bytes_per_s: float | None, encodings: tuple[str, ...], chosen: str
) -> None:
    (one,) = plan(keep(TEXT, "text"), encodings=encodings, link_bytes_per_s=link_bytes_per_s)
    assert one.how.encoding == chosen


def test_a_new_version_is_a_delta_to_the_version_most_like_it(keep: Keep, plan: Plan) -> None:
    old, new = keep(OLD, "model"), keep(NEW, "model")
    other = keep(np.random.default_rng(2).bytes(len(NEW)), "another")

    (one,) = plan(new, have=of(other) | of(old))

    assert (one.how.encoding, one.how.base) == ("delta", old.sha256)
    assert one.to_send < 300
    assert str(one).startswith(f"model: {one.to_send} of 200,017 bytes, as a delta to ")


def test_a_base_that_is_only_on_the_board_is_none(keep: Keep, plan: Plan) -> None:
    (one,) = plan(keep(NEW, "model"), have={hashlib.sha256(OLD).hexdigest(): len(OLD)})
    assert one.how.encoding == "raw"


def test_a_base_that_is_damaged_here_is_none(keep: Keep, plan: Plan, tmp_path: Path) -> None:
    old, new = keep(OLD, "model"), keep(NEW, "model")
    (tmp_path / "cas" / old.sha256[:2] / old.sha256).write_bytes(b"X" + OLD[1:])
    (one,) = plan(new, have=of(old))
    assert one.how.encoding == "raw"


def test_without_room_for_payloads_blobs_go_as_they_are(
    keep: Keep, plan: Plan, tmp_path: Path
) -> None:
    (tmp_path / "payloads").write_bytes(b"a file where the folder should be")
    (one,) = plan(keep(TEXT, "text"))
    assert one.how.encoding == "raw"


def test_weights_that_all_changed_a_little_are_a_delta_too(keep: Keep, plan: Plan) -> None:
    rng = np.random.default_rng(3)
    weights = rng.integers(-128, 128, 150_000, dtype=np.int8)
    nudged = weights + rng.integers(0, 2, weights.size, dtype=np.int8)
    old, new = keep(weights.tobytes(), "old"), keep(nudged.tobytes(), "new")

    (one,) = plan(new, have=of(old))

    assert one.how.encoding == "delta"
    assert one.to_send < 0.4 * new.size_bytes


def test_what_shares_nothing_is_no_delta(keep: Keep, plan: Plan) -> None:
    other = keep(np.random.default_rng(2).bytes(200_000), "another")
    (one,) = plan(keep(OLD, "old"), have=of(other))
    assert one.how.encoding == "raw"


def test_a_part_goes_on_where_it_ended(keep: Keep, plan: Plan) -> None:
    old = keep(OLD, "old")
    (one,) = plan(old, parts={old.sha256: 150_000})
    assert (one.offset, one.to_send) == (150_000, 50_000)
    assert str(one) == "old: 50,000 of 200,000 bytes, resumed at 150,000"


def test_the_rest_of_a_part_can_be_less_than_a_packed_whole(keep: Keep, plan: Plan) -> None:
    text = keep(TEXT, "text")
    (one,) = plan(text, parts={text.sha256: len(TEXT) - 5})
    assert (one.how.encoding, one.to_send) == ("raw", 5)


def test_a_part_that_is_too_long_is_sent_anew(keep: Keep, plan: Plan) -> None:
    old = keep(OLD, "old")
    (one,) = plan(old, parts={old.sha256: 200_001})
    assert one.offset == 0


def test_the_same_plan_is_made_twice(keep: Keep, plan: Plan) -> None:
    old, new, text = keep(OLD, "a"), keep(NEW, "b"), keep(TEXT, "c")
    assert plan(new, text, have=of(old)) == plan(new, text, have=of(old))


def test_an_encoder_goes_to_another_process(encoder: Encoder, keep: Keep) -> None:
    copy = pickle.loads(pickle.dumps(encoder))  # noqa: S301 - our own
    old, new = keep(OLD, "a"), keep(NEW, "b")
    (one,) = plan_transfer([new], of(old), {}, ALL, copy)
    assert one.how.encoding == "delta"


def stage(agent: Agent, items: Collection[Artifact], unpack: list[Json]) -> None:
    files: dict[str, Json] = {
        item.name: {"sha256": item.sha256, "size_bytes": item.size_bytes} for item in items
    }
    request: dict[str, Json] = {
        "release_id": "-".join(item.sha256[:8] for item in items),
        "manifest": {"files": files},
    }
    agent.ask("stage", request | {"unpack": unpack})


def plan_for(
    probe: Probe, encoder: Encoder, *items: Artifact, encodings: Collection[str] | None = None
) -> tuple[Shipment, ...]:
    have = {**probe.have, **probe.blobs}
    known = probe.encodings if encodings is None else encodings
    return plan_transfer(items, have, probe.parts, known, encoder)


def on_board(local_board: Any, artifact: Artifact) -> bytes:
    content: bytes = (local_board.home / ".orch/blobs" / artifact.sha256).read_bytes()
    return content


def bring(agent: Agent, encoder: Encoder, *items: Artifact) -> tuple[tuple[Shipment, ...], Sent]:
    """Plan, send and stage; a second time, without deltas, where the board finds damage."""
    shipments = plan_for(look(agent, []), encoder, *items)
    sent = deliver(
        agent,
        shipments,
        encoder,
        lambda unpack: stage(agent, items, unpack),
        lambda: plan_for(look(agent, []), encoder, *items, encodings=()),
    )[1]
    return shipments, sent


def test_a_board_makes_of_what_is_sent_what_was_meant(
    keep: Keep, encoder: Encoder, local_board: Any, agent_of: Callable[..., Agent]
) -> None:
    agent = agent_of(local_board)
    old, new, text = keep(OLD, "model"), keep(NEW, "model"), keep(TEXT, "text")
    with leased(agent, "me", []):
        assert bring(agent, encoder, old)[1] == Sent(uplink_bytes=200_000, blob_bytes=200_000)
        shipments, sent = bring(agent, encoder, new, text)

    assert [one.how.encoding for one in shipments] == ["delta", "zlib"]
    assert sent.uplink_bytes == sum(one.to_send for one in shipments) < 2500
    assert sent.blob_bytes == len(NEW) + len(TEXT)
    assert (on_board(local_board, new), on_board(local_board, text)) == (NEW, TEXT)


@pytest.mark.slow
def test_an_upload_that_was_cut_goes_on_under_the_next_lease(
    keep: Keep, encoder: Encoder, local_board: Any, agent_of: Callable[..., Agent]
) -> None:
    agent, old = agent_of(local_board), keep(OLD, "model")
    with leased(agent, "me", []) as probe:
        assert probe.token is not None
        folder = local_board.home / ".orch/incoming" / token_name(probe.token)
        (folder / f"{old.sha256}.part").write_bytes(OLD[:150_000])
    with leased(agent, "me", []):
        _, sent = bring(agent, encoder, old)

    assert sent.uplink_bytes == 50_000
    assert on_board(local_board, old) == OLD


def test_a_rotten_base_costs_one_more_try(
    keep: Keep, encoder: Encoder, local_board: Any, agent_of: Callable[..., Agent]
) -> None:
    agent, old, new = agent_of(local_board), keep(OLD, "model"), keep(NEW, "model")
    with leased(agent, "me", []):
        bring(agent, encoder, old)
        (local_board.home / ".orch/blobs" / old.sha256).write_bytes(b"X" + OLD[1:])
        shipments, sent = bring(agent, encoder, new)

    assert shipments[0].how.encoding == "delta"
    assert sent.uplink_bytes == shipments[0].to_send + len(NEW)
    assert on_board(local_board, new) == NEW


@pytest.mark.slow
def test_a_payload_that_is_damaged_here_is_not_sent_twice(
    keep: Keep, encoder: Encoder, local_board: Any, agent_of: Callable[..., Agent], plan: Plan
) -> None:
    agent, text = agent_of(local_board), keep(TEXT, "text")
    (made,) = plan(text)
    assert made.how.path is not None
    made.how.path.write_bytes(bytes(made.how.size_bytes))
    with leased(agent, "me", []):
        bring(agent, encoder, text)

    assert on_board(local_board, text) == TEXT
    (again,) = plan(text)
    assert again.how.path is not None
    assert hashlib.sha256(again.how.path.read_bytes()).hexdigest() == again.how.payload


@pytest.mark.slow
def test_a_line_that_damages_everything_ends_in_an_error(
    keep: Keep, encoder: Encoder, local_board: Any, agent_of: Callable[..., Agent]
) -> None:
    agent = agent_of(replace(local_board, spoils=b"damaged"))
    with leased(agent, "me", []), pytest.raises(AgentError) as raised:
        bring(agent, encoder, keep(TEXT, "text"))
    assert raised.value.code == "HASH_MISMATCH"
