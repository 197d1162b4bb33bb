"""Who a board is: its uid, whatever it is called and wherever it answers."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from orchestrator.boards.compatibility import Finding
from orchestrator.domain import Board

_HINT = (
    "is one of them a clone, or one board under two addresses? orch fleet facts shows both; "
    "correct the inventory"
)


class UidRegistry:
    """The uids that one run has met; boards are visited at once, so the first to come has it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._first: dict[str, Board] = {}

    def __reduce__(self) -> tuple[type[UidRegistry], tuple[()]]:
        # A worker in another process begins with an empty one: it sees its own boards only.
        return UidRegistry, ()

    def claim(self, board: Board, uid: str | None) -> Finding | None:
        """Take a uid for a board; refuse it where a board at another address has it."""
        if uid is None:
            return None
        with self._lock:
            first = self._first.setdefault(uid, board)
        if first.name == board.name:
            return None
        return _same(uid, board, [first])


def duplicates(boards: Sequence[Board], uids: Mapping[str, str | None]) -> dict[str, Finding]:
    """Give a finding for each board whose uid another one has too; `uids` by board name."""
    owners: dict[str, list[Board]] = {}
    for board in boards:
        if uid := uids.get(board.name):
            owners.setdefault(uid, []).append(board)
    return {
        board.name: _same(uid, board, [one for one in sharing if one is not board])
        for uid, sharing in owners.items()
        if len(sharing) > 1
        for board in sharing
    }


def changed(uid: str | None, known: str | None) -> Finding | None:
    """Warn when the board behind a name is not the one that answered last time."""
    if uid is None or known is None or uid == known:
        return None
    message = f"the board behind this name has changed: its uid is {uid}, it was {known}"
    return Finding("warn", "uid", message, "its history is another board's; rename it if you mind")


def _same(uid: str, board: Board, others: Sequence[Board]) -> Finding:
    named = ", ".join(f"{one.name} ({address(one)})" for one in others)
    if all(not one.simulated and address(one) == address(board) for one in others):
        message = f"it is the very board that is called {named} as well"
        return Finding("refuse", "uid", message, "leave one of the names out of the inventory")
    message = f"its uid {uid} is that of {named} too, it answers at {address(board)}"
    return Finding("refuse", "uid", message, _HINT)


def address(board: Board) -> str:
    """Give where a board answers, by way of the hosts before it."""
    if board.simulated:
        return "simulated"
    port = f":{board.port}" if board.port else ""
    return " > ".join((*board.jump, board.host + port))
