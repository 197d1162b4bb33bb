"""What orch makes of a board that somebody else has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from board_agent import protocol
from orchestrator.agent import Agent
from orchestrator.domain import Json
from orchestrator.errors import AgentError, Leased
from orchestrator.leases import leased, look

if TYPE_CHECKING:
    from tests.unit.orchestrator.stand_ins import LocalBoard

AgentOf = Callable[[Any], Agent]


def board_of(scripted_board: Callable[..., Any], token: int | None, **holder: object) -> Any:
    """A board that gives this token, or is held by somebody."""
    held = {"token": 7, "owner": "ann@host/run-1", "age_s": 15.0, "ttl_s": 60.0, "foreign": False}
    probe = {
        "facts": {},
        "blobs": {},
        "parts": {},
        "current": None,
        "previous": None,
        "lease": None if token is None else {"token": token},
        "holder": held | holder if token is None else None,
    }
    return scripted_board({"probe": protocol.success(probe), "lease": protocol.success({})})


@pytest.mark.parametrize(
    ("age_s", "ttl_s", "free_in_s"), [(15.0, 60.0, 45.0), (70.0, 60.0, 0.0), (0.0, 1e9, 60.0)]
)
def test_it_is_said_when_the_lease_of_another_orch_ends(
    scripted_board: Callable[..., Any],
    agent_of: AgentOf,
    age_s: float,
    ttl_s: float,
    free_in_s: float,
) -> None:
    board = board_of(scripted_board, None, age_s=age_s, ttl_s=ttl_s)

    with pytest.raises(Leased, match="ann@host/run-1") as raised, leased(agent_of(board), "me", []):
        pass

    assert (raised.value.code, raised.value.free_in_s) == ("LEASED", free_in_s)
    assert len(board.asked) == 1


def test_nobody_knows_when_a_program_that_is_no_orch_ends(
    scripted_board: Callable[..., Any], agent_of: AgentOf
) -> None:
    board = board_of(scripted_board, None, foreign=True, owner="magnetar")

    with pytest.raises(AgentError) as raised, leased(agent_of(board), "me", []):
        pass

    assert raised.value.code == "LEASED"
    assert not isinstance(raised.value, Leased)


@pytest.mark.parametrize(("after", "token"), [(1, 3), (2, 2)])
def test_a_board_that_has_changed_hands_since_is_given_back_as_it_is(
    scripted_board: Callable[..., Any], agent_of: AgentOf, after: int, token: int
) -> None:
    board = board_of(scripted_board, token)
    begun = []

    with pytest.raises(AgentError) as raised, leased(agent_of(board), "me", [], after=after):
        begun.append(token)

    assert (raised.value.code, begun) == ("STALE_TOKEN", [])
    assert [asked["kind"] for asked in board.asked] == ["probe", "lease"]
    assert board.asked[-1]["op"] == "release"


def test_work_goes_on_under_the_next_token(
    scripted_board: Callable[..., Any], agent_of: AgentOf
) -> None:
    with leased(agent_of(board_of(scripted_board, 8)), "me", [], after=7) as probe:
        assert probe.token == 8


def test_a_board_of_a_dead_run_is_taken_over_at_once(
    local_board: LocalBoard, agent_of: AgentOf
) -> None:
    with leased(agent_of(local_board), "me/killed", ()):
        with leased(agent_of(local_board), "me/new", (), dead={"me/killed"}) as probe:
            holder = look(agent_of(local_board), ()).holder
            assert holder is not None
            assert (holder.owner, holder.token) == ("me/new", probe.token)
        assert probe.token == 3


def test_a_board_that_goes_to_another_at_that_moment_is_theirs(
    local_board: LocalBoard, agent_of: AgentOf
) -> None:
    faster = agent_of(local_board)

    class Late(Agent):
        """Asks in the dead owner's name when another has been faster."""

        def ask(self, kind: str, request: Mapping[str, Json], deadline_s: float = 60.0) -> Any:
            if request.get("op") == "acquire":
                faster.ask("lease", {"op": "break"})
                faster.ask("lease", {"op": "acquire", "owner": "ann/run", "ttl_s": 60.0})
            return super().ask(kind, request, deadline_s)

    agent = agent_of(local_board)
    late = Late(agent.board, agent.transport, agent.program)
    with (
        leased(agent_of(local_board), "me/killed", ()),
        pytest.raises(Leased, match="ann/run"),
        leased(late, "me/new", (), dead={"me/killed"}),
    ):
        pass
