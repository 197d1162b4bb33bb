from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from board_agent import protocol
from orchestrator.agent import Agent
from orchestrator.errors import AgentError
from orchestrator.fleet.releasing import Moved, go_back

PROBE: dict[str, Any] = {
    "facts": {},
    "lease": {"token": 3},
    "holder": None,
    "blobs": {},
    "have": {},
    "parts": {},
    "current": "new",
    "previous": "old",
    "releases": ["new", "old"],
    "encodings": [],
}
FREE = protocol.success({"lease": None, "holder": None})


@pytest.fixture
def board(scripted_board: Callable[..., Any], agent_of: Callable[[Any], Agent]) -> Any:
    """Gives orch's side of a board that answers a rollback like this."""

    def make(rollback: dict[str, Any]) -> Agent:
        replies = {"probe": protocol.success(PROBE), "rollback": rollback, "lease": FREE}
        return agent_of(scripted_board(replies))

    return make


def test_a_board_goes_back_to_the_release_before(board: Any) -> None:
    agent = board(protocol.success({"current": "old", "previous": "new", "switched": True}))

    assert go_back(agent, "me") == Moved("new", "old")


def test_where_the_release_before_is_damaged_it_is_to_be_brought_anew(board: Any) -> None:
    agent = board(protocol.failure("HASH_MISMATCH", "model.axmodel: gone"))

    with pytest.raises(AgentError, match="release old is damaged, new stays") as raised:
        go_back(agent, "me")

    assert raised.value.code == "HASH_MISMATCH"
    assert "orch deploy" in raised.value.hint
