"""Which agent a board gets: the one in Python, or where there is none the one in POSIX shell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from orchestrator.agent import Agent, AgentProgram, load_agent
from orchestrator.domain import Board
from orchestrator.errors import NoPython
from orchestrator.seams import Transport
from orchestrator.shell.agent import ShellAgent, load_shell_agent

T = TypeVar("T")

Programs = tuple[AgentProgram, AgentProgram]


def load_agents() -> Programs:
    """Bundle both agents of this orch: the one in Python, and the one in shell."""
    return load_agent(), load_shell_agent()


def with_agent(
    board: Board,
    transport: Transport,
    programs: Programs,
    work: Callable[[Agent], T],
    *,
    guest: bool = False,
) -> T:
    """Do work with the agent that fits the board; as a `guest` it is not kept there.

    A board without Python is found at the first question, before anything was done.
    """
    python, shell = programs
    try:
        return work(Agent(board, transport, python, guest=guest))
    except NoPython:
        return work(ShellAgent(board, transport, shell, guest=guest))
