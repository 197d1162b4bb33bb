from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from board_agent import protocol
from orchestrator.agent import Agent
from orchestrator.domain import CommandResult, Json
from orchestrator.errors import Refused
from orchestrator.fleet.unlocking import Lock, break_lock, look_at_lock
from orchestrator.replies import Holder

ANN: dict[str, Json] = {
    "token": 7,
    "owner": "ann@host/run-1",
    "age_s": 12.0,
    "ttl_s": 60.0,
    "foreign": False,
}
HOLDER = Holder(7, "ann@host/run-1", 12.0, 60.0, foreign=False)


@dataclass
class HeldBoard:
    """A board that somebody holds until the lease is broken; keeps the operations."""

    holder: Mapping[str, Json] | None
    asked: list[str] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        deadline_s: float,
        limit_bytes: int = 1 << 30,
    ) -> CommandResult:
        assert argv
        assert deadline_s > 0
        request = json.loads(stdin)
        assert request["kind"] == "lease"
        self.asked.append(request["op"])
        if request["op"] == "break":
            self.holder = None
        held = None if self.holder is None else dict(self.holder)
        answer = protocol.pack({"ok": True, "result": {"lease": None, "holder": held}})
        assert len(answer) <= limit_bytes
        return CommandResult(0, answer, b"")


def test_a_lock_says_who_holds_the_board(agent_of: Callable[[HeldBoard], Agent]) -> None:
    found = look_at_lock(agent_of(HeldBoard(ANN)))

    assert found == Lock(HOLDER)
    assert "ann@host/run-1" in str(found)
    assert str(look_at_lock(agent_of(HeldBoard(None)))) == "free"


def test_breaking_frees_the_board_of_this_holder(agent_of: Callable[[HeldBoard], Agent]) -> None:
    board = HeldBoard(ANN)

    assert break_lock(agent_of(board), HOLDER) == Lock(None)
    assert board.asked == ["look", "break"]


def test_a_board_that_has_changed_hands_is_left_alone(
    agent_of: Callable[[HeldBoard], Agent],
) -> None:
    board = HeldBoard(ANN | {"token": 8, "owner": "bob@host/run-2"})

    with pytest.raises(Refused, match=r"bob@host/run-2 \(token 8\), ann@host/run-1 \(token 7\)"):
        break_lock(agent_of(board), HOLDER)

    assert board.asked == ["look"]
