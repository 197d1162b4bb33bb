from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from board_agent import protocol
from board_agent.results import Registered, Results, now_ns, process

if TYPE_CHECKING:
    from tests.unit.board_agent.board import Board


@pytest.fixture
def token(board: Board) -> int:
    """A board with four releases of one file each, r4 the current and r3 the previous one."""
    board.near = True
    for number in range(1, 5):
        content = b"%d" % number
        board.result("activate", release_id=f"r{number}", manifest=board.manifest(a=content))
    token: int = board.result("lease", op="acquire", owner="me", ttl_s=60)["lease"]["token"]
    return token


def blobs(board: Board) -> set[bytes]:
    return {path.read_bytes() for path in (board.work / "blobs").iterdir()}


def collect(board: Board, token: int, *keep: str, dry_run: bool = False) -> dict[str, Any]:
    return board.result("gc", token=token, keep=list(keep), dry_run=dry_run)


def stage(board: Board, token: int, release_id: str, content: bytes) -> None:
    digest = board.send(content, token=token)
    manifest = {"files": {"a": {"sha256": digest, "size_bytes": len(content)}}}
    board.result("stage", token=token, release_id=release_id, manifest=manifest, unpack=[])


def test_what_current_and_previous_need_stays_and_the_rest_goes(board: Board, token: int) -> None:
    found = collect(board, token)

    assert found["removed"]["releases"] == ["r1", "r2"]
    assert len(found["removed"]["blobs"]) == 2
    assert found["freed_bytes"] > 2
    assert blobs(board) == {b"3", b"4"}
    assert board.result("probe", blobs=[])["releases"] == ["r4", "r3"]
    assert board.result("rollback", token=token)["current"] == "r3"


def test_a_second_time_there_is_nothing_to_remove(board: Board, token: int) -> None:
    collect(board, token)

    assert collect(board, token) == {
        "removed": {"releases": [], "blobs": [], "agents": 0, "parts": 0},
        "freed_bytes": 0,
    }


def test_a_dry_run_tells_the_same_and_removes_nothing(board: Board, token: int) -> None:
    told = collect(board, token, dry_run=True)

    assert blobs(board) == {b"1", b"2", b"3", b"4"}
    assert collect(board, token) == told


def test_a_blob_that_is_to_be_kept_stays(board: Board, token: int) -> None:
    wanted = board.manifest(a=b"1")["files"]["a"]["sha256"]

    collect(board, token, wanted)

    assert blobs(board) == {b"1", b"3", b"4"}


def test_a_blob_that_a_kept_release_shares_stays(board: Board, token: int) -> None:
    stage(board, token, "r5", b"1")

    assert collect(board, token)["removed"]["releases"] == ["r1", "r2"]
    assert blobs(board) == {b"1", b"3", b"4"}


def test_of_staged_releases_the_newest_stays(board: Board, token: int) -> None:
    stage(board, token, "s1", b"s1")
    stage(board, token, "s2", b"s2")

    assert collect(board, token)["removed"]["releases"] == ["r1", "r2", "s1"]
    assert blobs(board) == {b"3", b"4", b"s2"}


def test_what_a_worker_reads_stays(board: Board, token: int) -> None:
    needed = board.manifest(a=b"1")["files"]["a"]["sha256"]
    owner = process(os.getpid())
    assert owner is not None
    (board.work / "results").mkdir()
    Results(board.work / "results").register(Registered("x", "", owner, now_ns(), (needed,)))

    collect(board, token)

    assert blobs(board) == {b"1", b"3", b"4"}


def test_with_a_current_manifest_that_cannot_be_read_no_blob_goes(board: Board, token: int) -> None:
    (board.work / "current/manifest.json").write_text("{")

    assert collect(board, token)["removed"]["blobs"] == []
    assert blobs(board) == {b"1", b"2", b"3", b"4"}


def test_parts_go_and_fresh_files_of_a_host_without_a_lease_stay(board: Board, token: int) -> None:
    board.send(b"half", token=token)
    fresh, old = (board.work / "incoming" / name for name in ("fresh.part", "old.part"))
    fresh.touch()
    old.touch()
    os.utime(old, (0, 0))

    assert collect(board, token)["removed"]["parts"] == 2
    left = {str(path.relative_to(board.work)) for path in board.work.glob("incoming/**/*")}
    assert left == {f"incoming/{protocol.token_name(token)}", "incoming/fresh.part"}


def test_old_agents_go_and_the_one_that_runs_stays(board: Board, token: int) -> None:
    folder = board.work / "agent"
    folder.mkdir()
    running = folder / ("a" * 64 + ".pyz")
    running.write_bytes(board.agent.read_bytes())
    for name in ("b" * 64 + ".pyz", "b" * 64 + ".pyz.cpython-38", "notes.txt"):
        (folder / name).touch()
    board.agent, board.near = running, False

    assert collect(board, token)["removed"]["agents"] == 2

    left = {path.name.replace("a" * 64, "a") for path in folder.iterdir()}
    assert left - {f"a.pyz.{sys.implementation.cache_tag}"} == {"a.pyz", "notes.txt"}
