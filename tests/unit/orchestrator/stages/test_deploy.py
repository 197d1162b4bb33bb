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
from orchestrator.domain import Delivery, Json, Release, Target
from orchestrator.errors import AgentError, Refused
from orchestrator.stages.deploy import check_board, deploy

FACTS: dict[str, Json] = {
    "simulated": True,
    "chip_type": "AX650N_CHIP",
    "vnpu": "disable",
    "disk_free_bytes": 10_000_000,
}
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
        self, files: Mapping[str, bytes] = FILES, inputs: tuple[bytes, ...] = (b"image",)
    ) -> Delivery:
        return deploy(self._agent_of(self.board), self.release(files, inputs), self.blobs)

    @property
    def work(self) -> Path:
        found: Path = self.board.home / ".orch"
        return found

    def part(self, release: Release, name: str) -> Path:
        (self.work / "incoming").mkdir(parents=True, exist_ok=True)
        return self.work / "incoming" / f"{release.files[name].sha256}.part"


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


def test_a_refused_board_is_left_as_it_is(shop: Shop) -> None:
    (shop.board.root / "proc/ax_proc/chip_type").write_text("AX630C_CHIP\n")

    with pytest.raises(Refused):
        shop.deploy()

    assert not (shop.work / "blobs").exists()
    assert not (shop.work / "current").exists()
    assert not list((shop.work / "incoming").iterdir())


def test_a_reply_that_cannot_be_stops_before_anything_is_sent(
    scripted_board: Callable[..., Any], agent_of: AgentOf, release: MakeRelease, tmp_path: Path
) -> None:
    board = scripted_board({"probe": protocol.success({"facts": FACTS, "blobs": ["../../etc"]})})

    with pytest.raises(AgentError, match="blobs"):
        deploy(agent_of(board), release(FILES), FsspecBlobs(str(tmp_path)))

    assert board.sent == {}


def refusal(facts: Mapping[str, Json], release: Release, needed_bytes: int = 0) -> Refused:
    with pytest.raises(Refused) as caught:
        check_board("b1", facts, release, needed_bytes)
    return caught.value


def test_a_board_that_fits_is_taken(release: MakeRelease) -> None:
    check_board("b1", FACTS, release(FILES), 8_000_000)
    check_board("b1", FACTS | {"vnpu": "enable"}, release(FILES, npu_mode="NPU1"))
    check_board("b1", FACTS | {"vnpu": None, "disk_free_bytes": None}, release(FILES))


@pytest.mark.parametrize(
    ("facts", "message", "hint"),
    [
        ({"chip_type": "AX630C_CHIP"}, "AX630C_CHIP (AX620E), the model is for AX650", "AX620E"),
        ({"chip_type": "AX999"}, "AX999 (unknown), the model is for AX650/NPU3", "AXERA"),
        ({"chip_type": None}, "None (unknown)", "AXERA"),
        ({"vnpu": "enable"}, "split (vnpu enable), the model is for AX650/NPU3", "NPU1"),
        ({"disk_free_bytes": 8_999_999}, "9.0 MB of disk are free, 8.0 MB come", "room"),
        ({"simulated": False}, "a genuine board does not run a simulated axmodel", "toolchain"),
        ({"simulated": 1}, "a genuine board does not run a simulated axmodel", "toolchain"),
    ],
)
def test_a_board_that_does_not_fit_is_refused_naming_both_sides(
    release: MakeRelease, facts: dict[str, Json], message: str, hint: str
) -> None:
    refused = refusal(FACTS | facts, release(FILES), 8_000_000)

    assert refused.message.startswith("b1: ")
    assert message in refused.message
    assert hint in refused.hint


def test_a_simulated_board_refuses_a_genuine_axmodel(release: MakeRelease) -> None:
    genuine = replace(release(FILES), simulated=False, target=Target("AX650", "NPU3"))

    refused = refusal(FACTS, genuine)

    assert "a simulated board does not run a genuine axmodel" in refused.message
