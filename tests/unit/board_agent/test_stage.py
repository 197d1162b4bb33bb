from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.board_agent.board import Board

IMAGE = bytes(range(18))


@pytest.fixture
def staged(board: Board) -> int:
    """A board with r1 as the current release and r2 beside it, under a lease; gives its token."""
    board.near = True
    board.deploy()
    token: int = board.result("lease", op="acquire", owner="me", ttl_s=60)["lease"]["token"]
    board.deploy("r2", "stage", token, version=2)
    return token


def test_a_staged_release_is_complete_and_not_the_current_one(board: Board, staged: int) -> None:
    found = board.result("probe", blobs=[])

    assert (found["current"], found["previous"]) == ("r1", None)
    assert set(found["releases"]) == {"r1", "r2"}
    assert len(found["have"]) == 3
    assert board.result("lease", op="look")["holder"]["token"] == staged


def test_a_staged_release_runs_before_the_switch(board: Board, staged: int) -> None:
    board.near = False
    image = board.send(IMAGE, token=staged)
    fields = {"model": "model.axmodel", "deadline_s": 60, "inputs": [image], "token": staged}

    assert board.result("infer", run_id="x", release_id="r2", **fields)["outputs"]

    assert board.result("probe", blobs=[])["current"] == "r1"
    error = board.error("infer", run_id="y", release_id="r3", **fields)
    assert error["code"] == "NO_RELEASE"


def test_activating_what_was_staged_switches(board: Board, staged: int) -> None:
    result = board.deploy("r2", "activate", staged, version=2)

    assert result == {"current": "r2", "previous": "r1", "switched": True}


def test_what_is_unpacked_beside_the_files_becomes_a_blob(board: Board, staged: int) -> None:
    image = board.send(IMAGE, token=staged)
    entry = {"sha256": image, "size_bytes": 18, "encoding": "raw", "payload": image}

    board.deploy("r3", "stage", staged, unpack=[entry], version=3)

    assert (board.work / "blobs" / image).read_bytes() == IMAGE


@pytest.mark.parametrize(
    "change", [{"encoding": "zip"}, {"payload": "x"}, {"size_bytes": -1}, {"encoding": "delta"}]
)
def test_every_field_of_unpack_is_checked(
    board: Board, staged: int, change: dict[str, object]
) -> None:
    entry = {"sha256": "0" * 64, "size_bytes": 1, "encoding": "raw", "payload": "0" * 64} | change
    manifest = {"files": {"a": {"sha256": "0" * 64, "size_bytes": 1}}}

    error = board.error("stage", token=staged, release_id="r", manifest=manifest, unpack=[entry])

    assert error["code"] == "BAD_REQUEST"
