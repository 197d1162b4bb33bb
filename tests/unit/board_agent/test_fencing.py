"""Whoever no longer has a board changes nothing on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from board_agent import protocol, sites
from tests.unit.board_agent.leasing import ME, OTHER, acquire, pass_time

if TYPE_CHECKING:
    from tests.unit.board_agent.board import Board

HASH = "0" * 64
WORK = {"run_id": "x", "model": "model.axmodel", "deadline_s": 60}
RELEASE = {"release_id": "r9", "manifest": {"files": {"a": {"sha256": HASH, "size_bytes": 1}}}}
#: A sound request of every kind that changes something.
MUTATING: dict[str, dict[str, Any]] = {
    "stage": RELEASE,
    "activate": RELEASE,
    "rollback": {},
    "benchmark": WORK | {"warmup": 0, "iterations": 1},
    "infer": WORK | {"inputs": [HASH]},
    "tool": WORK | {"warmup": 0, "iterations": 1},
    "contend": WORK | {"warmup": 0, "iterations": 1, "others": [None]},
    "gc": {"keep": [], "dry_run": False},
    "cancel": {},
    "fetch": {
        "url": "http://127.0.0.1:9/x",
        "blobs": [{"sha256": HASH, "size_bytes": 1}],
        "deadline_s": 60,
    },
    "install": {"name": f"{sites.tag()}-{HASH[:16]}", "manifest": RELEASE["manifest"]},
    "selftest": {"deadline_s": 60},
}
READING = {"probe", "serve", "runtime"}


def test_every_kind_either_reads_or_is_fenced() -> None:
    assert set(protocol.KINDS) == READING | set(MUTATING) | {"lease"}


@pytest.fixture(scope="module")
def taken_over(new_board: Callable[[], Board]) -> Board:
    """A board with two releases, whose first holder was silent for too long and has a follower."""
    board = new_board()
    board.near, board.held = True, False
    pass_time(board, 10.0)
    assert acquire(board, ME) == 1
    board.deploy(token=1)
    board.deploy("r2", token=1)
    pass_time(board, 100.0)
    assert acquire(board, OTHER) == 2
    return board


@pytest.mark.parametrize("token", [1, None, 3])
@pytest.mark.parametrize("kind", MUTATING)
def test_nothing_is_done_under_a_token_that_is_not_the_leases(
    taken_over: Board, kind: str, token: int | None
) -> None:
    before = tree(taken_over.work)

    error = taken_over.error(kind, token=token, **MUTATING[kind])

    assert error["code"] == "STALE_TOKEN"
    assert tree(taken_over.work) == before
    assert taken_over.noted("loads") == 0


def tree(folder: Path) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            name = str(path.relative_to(folder))
            found[name] = str(path.readlink()) if path.is_symlink() else path.read_bytes()
    return found
