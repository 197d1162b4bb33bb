"""Ask boards what they are, and change nothing on them but to leave the agent there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from orchestrator.agent import Agent, AgentProgram, load_agent
from orchestrator.domain import Board, Json
from orchestrator.errors import BoardError, DeadlineError
from orchestrator.replies import parse_probe
from orchestrator.seams import Connect, Engine, Failed, Progress


@dataclass(frozen=True, slots=True)
class Looked:
    """What a board said of itself, or why it did not."""

    board: str
    facts: Mapping[str, Json]
    current: str | None = None
    error_code: str = ""
    error: str = ""
    hint: str = ""


def look_at(
    boards: Sequence[Board],
    max_parallel: int,
    connect: Connect,
    engine: Engine,
    progress: Progress,
) -> list[Looked]:
    """Probe every board; one that fails does not stop the others."""
    found = []
    work = partial(_look, connect=connect, program=load_agent())
    for result in engine.map(work, boards, max_parallel):
        if isinstance(result, Failed):
            raise result.error
        one = result.value
        progress.event(one.board, one.error or "answers")
        found.append(one)
    return sorted(found, key=lambda one: one.board)


def _look(board: Board, connect: Connect, program: AgentProgram) -> Looked:
    try:
        with connect(board) as transport:
            agent = Agent(board, transport, program)
            probe = parse_probe(board.name, agent.ask("probe", {"blobs": []}))
    except (BoardError, DeadlineError) as error:
        return Looked(board.name, {}, None, error.code, str(error), error.hint)
    return Looked(board.name, probe.facts, probe.current)
