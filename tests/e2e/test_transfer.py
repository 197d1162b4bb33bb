"""Deltas and a site's relay over real SSH, to simulated boards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.agent import Agent, load_agent
from orchestrator.backends.fabric_connect import FabricConnect
from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.domain import Artifact, Board, Json
from orchestrator.leases import leased, look
from orchestrator.simulation import SimulatedFleet
from orchestrator.transfer.encoding import Encoder
from orchestrator.transfer.payloads import Payloads
from orchestrator.transfer.relaying import Cargo, Relays, relays_of
from orchestrator.transfer.shipping import Shipment, deliver, plan_transfer

pytestmark = pytest.mark.slow

OLD = np.random.default_rng(1).bytes(3_000_000)
NEW = OLD[:1_000_000] + b"what is new" + OLD[1_000_000:2_000_000] + OLD[2_030_000:]
Fleets = Callable[..., AbstractContextManager[SimulatedFleet]]


@pytest.fixture(scope="module")
def boards(sim_fleet: Fleets) -> Iterator[dict[str, Board]]:
    """Three boards of one site; one of them is its relay, one has no SFTP."""
    with sim_fleet("--boards", "3", "--no-sftp", "sim-03") as fleet:
        first, *others = fleet.boards.values()
        all_boards = [replace(first, relay=True, site="fra")]
        all_boards += [replace(board, site="fra") for board in others]
        yield {board.name: board for board in all_boards}


@contextmanager
def opened(board: Board) -> Iterator[Agent]:
    with FabricConnect(())(board) as transport:
        yield Agent(board, transport, load_agent())


def keep(folder: Path, blobs: FsspecBlobs, content: bytes) -> Artifact:
    (folder / "content").write_bytes(content)
    return blobs.put(folder / "content", "model")


def staging(item: Artifact) -> dict[str, Json]:
    file: dict[str, Json] = {"sha256": item.sha256, "size_bytes": item.size_bytes}
    return {"release_id": item.sha256[:16], "manifest": {"files": {"model": file}}}


def bring(agent: Agent, encoder: Encoder, item: Artifact) -> tuple[Shipment, int]:
    with leased(agent, "me", [item.sha256]) as probe:
        plan = plan_transfer([item], probe.have, probe.parts, probe.encodings, encoder)
        _, sent = deliver(
            agent,
            plan,
            encoder,
            lambda unpack: agent.ask("stage", staging(item) | {"unpack": unpack}),
            tuple,
        )
    return plan[0], sent.uplink_bytes


@pytest.mark.parametrize("name", ["sim-02", "sim-03"])
def test_a_new_version_costs_what_is_new(
    boards: dict[str, Board], name: str, tmp_path: Path
) -> None:
    blobs = FsspecBlobs(str(tmp_path / "cas"))
    encoder = Encoder(blobs, Payloads(tmp_path / "payloads"))
    old, new = (keep(tmp_path, blobs, content) for content in (OLD, NEW))
    with opened(boards[name]) as agent:
        bring(agent, encoder, old)
        shipment, uplink_bytes = bring(agent, encoder, new)
        found = look(agent, [old.sha256, new.sha256])

    assert (shipment.how.encoding, shipment.how.base) == ("delta", old.sha256)
    assert uplink_bytes == shipment.to_send < 400
    assert found.blobs == {item.sha256: item.size_bytes for item in (old, new)}


def test_a_site_is_served_by_its_relay(
    boards: dict[str, Board], tmp_path: Path, progress: Any
) -> None:
    blobs = FsspecBlobs(str(tmp_path / "cas"))
    encoder = Encoder(blobs, Payloads(tmp_path / "payloads"))
    item = keep(tmp_path, blobs, np.random.default_rng(5).bytes(2_000_000))
    cargo = Cargo((item,), staging(item))
    relays = Relays(relays_of(boards.values()), cargo, opened, "me", encoder, progress)
    with relays:
        for name in ("sim-02", "sim-03"):
            with opened(boards[name]) as agent, leased(agent, "me", []):
                sent = relays.fetch(agent, [item])
                found = look(agent, [item.sha256])
            assert sent is not None
            assert (sent.uplink_bytes, sent.site_bytes) == (0, item.size_bytes)
            assert found.blobs == {item.sha256: item.size_bytes}

    assert {name: one.uplink_bytes for name, one in relays.sent.items()} == {
        "sim-01": item.size_bytes
    }
