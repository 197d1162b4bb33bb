"""A site's relay: one copy over the uplink, the rest from board to board, and the way without."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.agent import Agent, load_agent
from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.backends.local_transport import LocalConnect
from orchestrator.domain import Artifact, Board, Json
from orchestrator.errors import Unreachable
from orchestrator.leases import leased
from orchestrator.transfer import relaying
from orchestrator.transfer.encoding import Encoder
from orchestrator.transfer.payloads import Payloads
from orchestrator.transfer.relaying import Cargo, Relays, relays_of
from orchestrator.transfer.shipping import Sent
from tests.unit.orchestrator.stand_ins import LocalBoard

MODEL = np.random.default_rng(1).bytes(100_000)


def board_named(name: str, *, site: str = "fra", relay: bool = False, host: str = "") -> Board:
    return Board(name, host or "127.0.0.1", 22, "root", site=site, relay=relay)


RELAY = board_named("relay", relay=True)


@dataclass
class Site:
    """Boards of this machine, each in a folder of its own; `down` cannot be reached."""

    folder: Path
    encoder: Encoder
    progress: Any
    cargo: Cargo
    down: set[str] = field(default_factory=set)

    @contextmanager
    def open(self, board: Board) -> Iterator[Agent]:
        if board.name in self.down:
            raise Unreachable(f"{board.name}: no connection")
        home, root = self.folder / board.name, self.folder / f"{board.name}-root"
        for folder in (home, root / "etc"):
            folder.mkdir(parents=True, exist_ok=True)
        if not board.relay:
            yield Agent(board, LocalBoard(home, root), load_agent())
            return
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], "ORCH_SYSROOT": str(root)}
        with LocalConnect(home, environment)(board) as transport:
            yield Agent(board, transport, load_agent())

    def relays(self, *boards: Board) -> Relays:
        return Relays(relays_of(boards), self.cargo, self.open, "me", self.encoder, self.progress)

    def visit(self, relays: Relays, name: str, site: str = "fra") -> Sent | None:
        """Have a board fetch the cargo; gives what came of it."""
        with self.open(board_named(name, site=site)) as agent, leased(agent, "me", []):
            return relays.fetch(agent, self.cargo.blobs)

    def blob(self, name: str, blob: Artifact) -> bytes | None:
        path = self.folder / name / ".orch/blobs" / blob.sha256
        return path.read_bytes() if path.exists() else None

    def said(self) -> str:
        return "\n".join(": ".join(event) for event in self.progress.events)


@pytest.fixture
def site(tmp_path: Path, progress: Any) -> Site:
    blobs = FsspecBlobs(str(tmp_path / "cas"))
    items = []
    for name, content in (("model", MODEL), ("image.bin", b"an image " * 2000)):
        (tmp_path / name).write_bytes(content)
        items.append(blobs.put(tmp_path / name, name))
    manifest: dict[str, Json] = {
        "files": {"model": {"sha256": items[0].sha256, "size_bytes": items[0].size_bytes}}
    }
    cargo = Cargo(tuple(items), {"release_id": "r1", "manifest": manifest})
    encoder = Encoder(blobs, Payloads(tmp_path / "payloads"))
    return Site(tmp_path / "boards", encoder, progress, cargo)


def test_one_copy_comes_over_the_uplink_and_the_others_fetch_it(site: Site) -> None:
    with site.relays(RELAY, board_named("b1")) as relays:
        got: dict[str, Sent | None] = {}
        threads = [
            threading.Thread(target=lambda name=name: got.update({name: site.visit(relays, name)}))
            for name in ("b1", "b2")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)

    total = sum(item.size_bytes for item in site.cargo.blobs)
    assert got == dict.fromkeys(("b1", "b2"), Sent(site_bytes=total, blob_bytes=total))
    assert len(MODEL) < relays.sent["relay"].uplink_bytes < total  # the image was packed
    assert [site.blob(name, site.cargo.blobs[0]) for name in ("b1", "b2")] == [MODEL, MODEL]
    assert "relay: hands 2 blobs on in its site" in site.said()


@pytest.mark.slow
def test_a_relay_that_has_everything_is_sent_nothing(site: Site) -> None:
    with site.relays(RELAY) as relays:
        site.visit(relays, "b1")
    with site.relays(RELAY) as relays:
        site.visit(relays, "b2")
    assert relays.sent["relay"] == Sent()


def test_a_board_that_was_filled_between_two_visits_is_nobody_elses(site: Site) -> None:
    with site.relays(RELAY) as relays:
        with site.open(RELAY) as agent, leased(agent, "me", []) as first:
            assert first.token is not None
        site.visit(relays, "b1")

        after = relays.held_after(RELAY, first.token)
        with site.open(RELAY) as agent, leased(agent, "me", [], after=after) as second:
            assert second.token == first.token + 2


@pytest.mark.parametrize(("name", "where"), [("relay", "fra"), ("b1", "muc")])
def test_the_relay_itself_and_other_sites_are_served_from_here(
    site: Site, name: str, where: str
) -> None:
    with site.relays(RELAY) as relays:
        assert site.visit(relays, name, where) is None
    assert site.progress.events == []


def test_without_its_relay_a_site_is_served_from_here_and_is_told_once(site: Site) -> None:
    site.down.add("relay")
    with site.relays(RELAY) as relays:
        assert site.visit(relays, "b1") is None
        assert site.visit(relays, "b2") is None
    assert site.progress.events == [
        ("relay", "as a relay it failed: relay: no connection; the blobs come over the uplink")
    ]


@pytest.mark.slow
def test_a_relay_that_cannot_be_reached_is_done_without_and_then_asked_no_more(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "_MAX_FAILED", 1)
    # No address: the relay listens on all it has, the others look where nothing is.
    with site.relays(board_named("relay", relay=True, host="0.0.0.1")) as relays:
        assert site.visit(relays, "b1") is None
        assert site.visit(relays, "b2") is None
    assert "b1: nothing came from relay relay" in site.said()
    assert site.said().endswith("the blobs come over the uplink")
    assert site.said().count("nothing came from relay") == 1


@pytest.mark.slow
def test_a_relay_that_is_held_by_another_is_done_without(site: Site) -> None:
    with (
        site.open(RELAY) as agent,
        leased(agent, "somebody/else", []),
        site.relays(RELAY) as relays,
    ):
        assert site.visit(relays, "b1") is None
    assert "as a relay it failed" in site.said()
    assert "somebody/else" in site.said()


def test_a_relay_that_is_visited_for_too_long_is_done_without(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "PATIENCE_S", 0.01)
    with site.relays(RELAY) as relays, relays.visiting(RELAY):
        assert site.visit(relays, "b1") is None
    assert "as a relay it is busy" in site.said()


def test_the_first_relay_of_a_site_is_its_relay() -> None:
    boards = [board_named("b1"), RELAY, board_named("r2", relay=True)]
    other = board_named("r3", relay=True, site="muc")
    assert relays_of([*boards, other]) == {"fra": RELAY, "muc": other}


def test_another_process_does_without(site: Site) -> None:
    assert pickle.loads(pickle.dumps(site.relays(RELAY))) is None  # noqa: S301 - our own
