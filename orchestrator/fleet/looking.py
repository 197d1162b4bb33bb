"""Ask boards what they are and have; nothing is changed or left on them."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.agent import Agent
from orchestrator.domain import Board, Caps
from orchestrator.fleet.errands import Answer, Courier, run_errands
from orchestrator.leases import look
from orchestrator.replies import Probe


def look_at(boards: Sequence[Board], caps: Caps, courier: Courier) -> list[Answer[Probe]]:
    """Probe every board; one that fails does not stop the others."""
    return run_errands(boards, caps, courier, _look, lambda _: "answers")


def _look(agent: Agent) -> Probe:
    return look(agent, ())
