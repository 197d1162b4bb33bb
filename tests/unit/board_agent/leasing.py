"""Who takes a board, and how its time passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.board_agent.board import Board

ME, OTHER = {"owner": "me", "ttl_s": 60}, {"owner": "other", "ttl_s": 60}


def acquire(board: Board, who: dict[str, object]) -> int:
    token: int = board.result("lease", op="acquire", **who)["lease"]["token"]
    return token


def pass_time(board: Board, uptime_s: float) -> None:
    board.write_fact("proc/uptime", f"{uptime_s} 1.0\n")
