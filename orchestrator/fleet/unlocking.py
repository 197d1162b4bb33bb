"""See who holds a board, and free it of a holder that is gone for good."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.agent import Agent
from orchestrator.errors import Refused
from orchestrator.replies import Holder, parse_holder


@dataclass(frozen=True, slots=True)
class Lock:
    """Who holds a board; None: nobody does."""

    holder: Holder | None

    def __str__(self) -> str:
        return "free" if self.holder is None else f"held by {self.holder}"


def look_at_lock(agent: Agent) -> Lock:
    """Ask a board who holds it."""
    return Lock(parse_holder(agent.board.name, agent.ask("lease", {"op": "look"})))


def break_lock(agent: Agent, holder: Holder) -> Lock:
    """Free a board of this very holder; what it still asks is refused from now on.

    Raises Refused when the board has changed hands meanwhile.
    """
    found = look_at_lock(agent).holder
    if found is not None and (found.token, found.owner) != (holder.token, holder.owner):
        name = agent.board.name
        raise Refused(
            f"{name}: it has changed hands: held by {found.owner} (token {found.token}), "
            f"{holder.owner} (token {holder.token}) was to be freed",
            f"look again: orch fleet unlock {name}",
        )
    reply = agent.ask("lease", {"op": "break"})
    return Lock(parse_holder(agent.board.name, reply))
