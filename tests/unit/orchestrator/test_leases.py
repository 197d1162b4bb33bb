"""What a process holds, and how it gives it back when it is told to end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from orchestrator.agent import Agent, load_agent
from orchestrator.domain import Board, CommandResult
from orchestrator.errors import AgentError, Unreachable
from orchestrator.leases import give_all_back, leased, look

if TYPE_CHECKING:
    from tests.unit.orchestrator.stand_ins import LocalBoard


@dataclass
class CutBoard:
    """A board whose line goes down after it has given its lease."""

    board: LocalBoard
    is_cut: bool = False

    def run(self, *args: object, **options: object) -> CommandResult:
        if self.is_cut:
            raise Unreachable("b2: the connection was lost")
        return self.board.run(*args, **options)  # type: ignore[arg-type] # as they came

    def __getattr__(self, name: str) -> object:
        return getattr(self.board, name)


def test_what_is_held_is_given_back_at_once_and_then_refused_to_who_had_it(
    local_board: LocalBoard, agent_of: Callable[[LocalBoard], Agent]
) -> None:
    with leased(agent_of(local_board), "me", ()):
        assert look(agent_of(local_board), ()).holder is not None

        freed = give_all_back()

        assert freed == {"b1": True}
        assert look(agent_of(local_board), ()).holder is None
        mine = agent_of(local_board)
        mine.token = 1
        with pytest.raises(AgentError) as raised:
            mine.ask("gc", {"keep": []})
        assert raised.value.code == "STALE_TOKEN"
    assert give_all_back() == {}


def test_a_board_that_cannot_be_reached_is_named_and_does_not_keep_others(
    local_board: LocalBoard, agent_of: Callable[[LocalBoard], Agent]
) -> None:
    home = local_board.home.with_name("home2")
    home.mkdir()
    cut = CutBoard(type(local_board)(home, local_board.root))
    gone = Agent(Board("b2", "192.0.2.2", 22, "root"), cut, load_agent())  # type: ignore[arg-type] # the rest is the board's own
    with leased(agent_of(local_board), "me", ()), leased(gone, "me", ()):
        cut.is_cut = True

        freed = give_all_back()

    assert freed == {"b1": True, "b2": False}


def test_no_heartbeat_is_left_behind(
    local_board: LocalBoard, agent_of: Callable[[LocalBoard], Agent]
) -> None:
    before = set(threading.enumerate())

    with leased(agent_of(local_board), "me", ()):
        (heartbeat,) = set(threading.enumerate()) - before
        give_all_back()

    heartbeat.join(60)
    assert not heartbeat.is_alive()

    assert look(agent_of(local_board), ()).holder is None


def test_a_board_whose_lease_cannot_be_written_is_not_said_to_be_held(
    local_board: LocalBoard, agent_of: Callable[[LocalBoard], Agent]
) -> None:
    look(agent_of(local_board), ())
    (local_board.home / ".orch" / "lease").touch()

    with (
        pytest.raises(
            AgentError, match="its work_dir cannot be written to: Not a directory"
        ) as raised,
        leased(agent_of(local_board), "me", ()),
    ):
        pass

    assert raised.value.code == "NOT_WRITABLE"
