from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from board_agent import protocol
from orchestrator.agent import Agent
from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.domain import Delivery, Release
from orchestrator.errors import AgentError
from orchestrator.leases import leased
from orchestrator.stages.deploy import Means, deploy, wanted
from orchestrator.transfer.encoding import Encoder
from orchestrator.transfer.payloads import Payloads

FILES = {"model.axmodel": b"m" * 1000, "model.json": b"{}"}
AgentOf = Callable[[Any], Agent]
MakeRelease = Callable[..., Release]


class Shop:
    """Deploys contents to one board, from blobs that hold them."""

    def __init__(self, board: Any, agent_of: AgentOf, make: MakeRelease, folder: Path) -> None:
        self.board, self._agent_of, self._make = board, agent_of, make
        self.blobs, self._folder = FsspecBlobs(str(folder / "cas")), folder

    def release(self, files: Mapping[str, bytes], inputs: tuple[bytes, ...]) -> Release:
        for content in (*files.values(), *inputs):
            path = self._folder / "content"
            path.write_bytes(content)
            self.blobs.put(path, "content")
        return self._make(files, inputs)

    def deploy(
        self,
        files: Mapping[str, bytes] = FILES,
        inputs: tuple[bytes, ...] = (b"image",),
        prove: Callable[[], float] | None = None,
        *,
        last: bool = False,
    ) -> Delivery:
        agent, release = self._agent_of(self.board), self.release(files, inputs)
        encoder = Encoder(self.blobs, Payloads(self._folder / "payloads"))
        with leased(agent, "me", [item.sha256 for item in wanted(release)]) as probe:
            return deploy(agent, probe, release, Means(encoder, prove=prove, last=last))

    @property
    def work(self) -> Path:
        found: Path = self.board.home / ".orch"
        return found

    def part(self, release: Release, name: str) -> Path:
        """Where an upload before, under the first lease, left what it had sent."""
        folder = self.work / "incoming" / protocol.token_name(1)
        folder.mkdir(parents=True, exist_ok=True)
        (self.work / "lease" / folder.name).mkdir(parents=True)
        return folder / f"{release.files[name].sha256}.part"


@pytest.fixture
def shop(local_board: Any, agent_of: AgentOf, release: MakeRelease, tmp_path: Path) -> Shop:
    return Shop(local_board, agent_of, release, tmp_path)


def test_a_new_board_gets_everything_and_is_switched(shop: Shop) -> None:
    delivery = shop.deploy()

    assert (delivery.uploaded_bytes, delivery.agent_uploaded, delivery.activated) == (
        1007,
        True,
        True,
    )
    assert (shop.work / "current").readlink().name == delivery.release_id
    manifest = json.loads((shop.work / "current" / "manifest.json").read_text())
    for name, content in FILES.items():
        assert (shop.work / "blobs" / manifest["files"][name]["sha256"]).read_bytes() == content
    assert (manifest["target"], manifest["simulated"]) == ("AX650/NPU3", True)


def test_the_switch_can_be_the_last_that_is_asked_under_the_lease(shop: Shop) -> None:
    shop.deploy(last=True)

    (lease,) = (shop.work / "lease").iterdir()
    assert list(lease.iterdir()) == []
    assert shop.deploy({"model.axmodel": b"new", "model.json": b"{}"}).activated


def test_a_second_time_nothing_is_sent_or_switched(shop: Shop) -> None:
    shop.deploy()

    again = shop.deploy()

    assert (again.uploaded_bytes, again.agent_uploaded, again.activated) == (0, False, False)


def test_a_small_change_is_a_small_transfer(shop: Shop) -> None:
    shop.deploy()

    changed = shop.deploy(FILES | {"model.json": b'{"a": 1}'})

    assert (changed.uploaded_bytes, changed.activated) == (8, True)
    assert (shop.work / "current").readlink().name == changed.release_id


def test_a_cut_transfer_goes_on_where_it_was_cut(shop: Shop) -> None:
    release = shop.release(FILES, (b"image",))
    shop.part(release, "model.axmodel").write_bytes(b"m" * 600)

    assert shop.deploy().uploaded_bytes == 407


@pytest.mark.parametrize("left", [b"x" * 600, b"x" * 1000, b"m" * 5000])
def test_a_part_that_is_not_ours_is_replaced(shop: Shop, left: bytes) -> None:
    release = shop.release(FILES, (b"image",))
    shop.part(release, "model.axmodel").write_bytes(left)

    delivery = shop.deploy()

    blob = shop.work / "blobs" / release.files["model.axmodel"].sha256
    assert blob.read_bytes() == FILES["model.axmodel"]
    assert delivery.activated


def test_a_line_that_damages_everything_ends_in_a_typed_error(shop: Shop) -> None:
    shop.deploy()  # the agent is there
    shop.board = replace(shop.board, spoils=b"#")

    with pytest.raises(AgentError) as caught:
        shop.deploy({"model.axmodel": b"new", "model.json": b"{}"})

    assert caught.value.code == "HASH_MISMATCH"


def test_a_file_lost_on_the_board_is_sent_again(shop: Shop) -> None:
    shop.deploy()
    release = shop.release(FILES, (b"image",))
    (shop.work / "blobs" / release.files["model.axmodel"].sha256).unlink()

    assert shop.deploy().uploaded_bytes == 1000


def test_a_file_cut_on_the_board_is_sent_again(shop: Shop) -> None:
    shop.deploy()
    model = shop.work / "blobs" / shop.release(FILES, (b"image",)).files["model.axmodel"].sha256
    model.write_bytes(FILES["model.axmodel"][:100])

    again = shop.deploy()

    assert again.uploaded_bytes == len(FILES["model.axmodel"])
    assert model.read_bytes() == FILES["model.axmodel"]


def test_a_release_that_does_not_prove_itself_is_staged_and_not_switched_to(shop: Shop) -> None:
    before = shop.deploy().release_id
    seen: list[str] = []

    def prove() -> float:
        seen.extend(path.name for path in (shop.work / "releases").iterdir())
        raise AgentError("b1: it says otherwise", "", "GOLDEN_MISMATCH")

    with pytest.raises(AgentError, match="otherwise"):
        shop.deploy(FILES | {"model.json": b'{"a": 1}'}, prove=prove)

    assert len(seen) == 2
    assert (shop.work / "current").readlink().name == before


def test_what_proved_itself_is_kept_with_the_delivery(shop: Shop) -> None:
    first = shop.deploy()
    second = shop.deploy(FILES | {"model.json": b'{"a": 1}'}, prove=lambda: 0.99)

    assert (second.proved, second.before, second.activated) == (0.99, first.release_id, True)


def test_a_release_that_is_the_current_one_need_not_prove_itself(shop: Shop) -> None:
    shop.deploy()

    again = shop.deploy(prove=lambda: pytest.fail("it was asked"))

    assert (again.proved, again.activated) == (None, False)


def test_a_reply_that_cannot_be_stops_before_anything_is_sent(
    scripted_board: Callable[..., Any], agent_of: AgentOf
) -> None:
    board = scripted_board({"probe": protocol.success({"facts": {}, "blobs": ["../../etc"]})})

    with pytest.raises(AgentError, match="blobs"), leased(agent_of(board), "me", ["0" * 64]):
        pytest.fail("the lease was taken")

    assert board.sent == {}
