"""Do one thing on each of many boards: one that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from orchestrator.agent import Agent
from orchestrator.agents import Programs, load_agents, with_agent
from orchestrator.domain import Board, Caps
from orchestrator.errors import BoardError, DeadlineError
from orchestrator.parallel import AtOnce, Engine, Failed
from orchestrator.seams import Connect, Progress

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What came of an errand on one board; without `value`, why there is none."""

    board: str
    value: T | None = None
    error_code: str = ""
    error: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Courier:
    """What running errands needs of the world.

    Attributes:
        guest: an agent that is missing is run from memory: the board keeps nothing.
    """

    connect: Connect
    engine: Engine
    progress: Progress
    guest: bool = False


def run_errands(
    boards: Sequence[Board],
    caps: Caps,
    courier: Courier,
    errand: Callable[[Agent], T],
    in_words: Callable[[T], str],
) -> list[Answer[T]]:
    """Do the errand on every board, in the order of board names; `in_words` says how one went."""
    programs = load_agents()
    work = partial(_run, errand=errand, courier=courier, programs=programs)
    answers: list[Answer[T]] = []
    for result in courier.engine.map(work, boards, at_once(caps)):
        if isinstance(result, Failed):
            raise result.error
        one = result.value
        said = one.error if one.value is None else in_words(one.value)
        courier.progress.event(one.board, said)
        answers.append(one)
    return sorted(answers, key=lambda one: one.board)


def at_once(caps: Caps) -> AtOnce[Board]:
    """Give how many boards are worked on at once, in all and behind each site and switch."""
    of_group = {f"site {name}": most for name, most in caps.sites.items()}
    of_group |= {f"switch {name}": most for name, most in caps.switches.items()}
    return AtOnce(caps.in_all, of_group, groups)


def groups(board: Board) -> tuple[str, ...]:
    """Name what a board shares with others."""
    switch = () if board.switch is None else (f"switch {board.switch}",)
    return (f"site {board.site}", *switch)


def _run(
    board: Board, errand: Callable[[Agent], T], courier: Courier, programs: Programs
) -> Answer[T]:
    try:
        with courier.connect(board) as transport:
            done = with_agent(board, transport, programs, errand, guest=courier.guest)
            return Answer(board.name, done)
    except (BoardError, DeadlineError) as error:
        return Answer(board.name, None, error.code, str(error), error.hint)
