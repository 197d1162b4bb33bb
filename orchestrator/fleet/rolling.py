"""Go through a fleet wave by wave, with retries, until all boards are done or it has to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from orchestrator.boards.remembering import FleetNotes
from orchestrator.clock import now
from orchestrator.domain import Board, BoardOutcome, Fleet
from orchestrator.fleet.errands import at_once, groups
from orchestrator.fleet.pictures import draw
from orchestrator.fleet.retries import Retries
from orchestrator.fleet.rollout import reason_to_stop, waves
from orchestrator.fleet.visiting import Gear, Visit, Visited, visit_board
from orchestrator.images import NamedImage
from orchestrator.seams import AtOnce, Connect, Engine, Failed, Ledger, Progress
from orchestrator.table import failed_boards, outcome_in_one_line
from orchestrator.transfer.encoding import Encoder


@dataclass(frozen=True, slots=True)
class Crew:
    """What working on boards needs of the world."""

    connect: Connect
    engine: Engine
    encoder: Encoder
    ledger: Ledger
    notes: FleetNotes
    progress: Progress
    reports: Path


@dataclass(frozen=True, slots=True)
class Roll:
    """Which boards are visited for what; pictures of `images` go below `folder`."""

    fleet: Fleet
    visit: Visit
    gear: Gear
    images: tuple[NamedImage, ...]
    folder: Path
    pause: bool = False
    wait: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Rolled:
    """How far it came.

    Attributes:
        outcomes: in the order of board names.
        waiting: boards that were not begun.
        ended: why not: the rollout was stopped, or paused; empty: all were.
        stopped: too many boards failed.
    """

    outcomes: tuple[BoardOutcome, ...]
    waiting: tuple[str, ...] = ()
    ended: str = ""
    stopped: bool = False


def roll(asked: Roll, crew: Crew, done: Sequence[BoardOutcome]) -> Rolled:
    """Go through the waves, as far as may be; boards that are `done` are not visited."""
    boards, rollout = asked.fleet.boards, asked.fleet.rollout
    outcomes = {one.board: one for one in done}
    todo = waves(boards, rollout)
    retries = Retries(len(boards))
    for number, wave in enumerate(todo, start=1):
        rest = tuple(board for board in wave.boards if board.name not in outcomes)
        if not rest:
            continue
        if len(todo) > 1:
            names = " ".join(board.name for board in rest)
            crew.progress.event("rollout", f"wave {number} of {len(todo)} ({wave.label}): {names}")
        _work_on(rest, asked, crew, retries, outcomes)
        waiting = tuple(board.name for board in boards if board.name not in outcomes)
        failed = failed_boards(tuple(outcomes.values()), asked.visit.recipe.gates)
        reason = reason_to_stop(failed, len(boards), rollout)
        if waiting and (reason or asked.pause):
            ended = f"stopped: {reason}" if reason else f"paused after wave {number} of {len(todo)}"
            return Rolled(_ordered(outcomes), waiting, ended, stopped=reason is not None)
    return Rolled(_ordered(outcomes))


def _ordered(outcomes: dict[str, BoardOutcome]) -> tuple[BoardOutcome, ...]:
    return tuple(outcomes[name] for name in sorted(outcomes))


@dataclass(frozen=True, slots=True)
class _Task:
    """Work on a board under a name, when it is due, and the token it was held under before."""

    board: Board
    run_id: str
    due_s: float = 0.0
    after: int | None = None


def _work_on(
    boards: Sequence[Board],
    asked: Roll,
    crew: Crew,
    retries: Retries,
    outcomes: dict[str, BoardOutcome],
) -> None:
    """Visit the boards of a wave, some of them again; say and keep how each went at once."""
    tasks = [_Task(board, asked.visit.run_id) for board in boards]
    while tasks:
        due_s = min(task.due_s for task in tasks)
        asked.wait(max(0.0, due_s - time.monotonic()))
        due = [task for task in tasks if task.due_s <= due_s]
        tasks = [task for task in tasks if task.due_s > due_s]
        again: list[tuple[_Task, float]] = []
        for task, one in _visit_all(due, asked, crew):
            name = task.board.name
            for remark in one.remarks:
                crew.progress.event(name, remark)
            pause = retries.take(name, one.outcome.error_code, one.free_in_s)
            if pause is None:
                outcomes[name] = _keep(one, asked, crew)
                all_boards = len(asked.fleet.boards)
                crew.progress.advance("boards", "visited", len(outcomes), all_boards)
            else:
                again.append((_next(task, one, asked, retries), pause))
                crew.progress.event(name, f"{one.outcome.error}; tried again in {pause:g} s")
        # All of one kind together: they are worked on at once.
        now_s = time.monotonic()
        tasks += [replace(task, due_s=now_s + pause) for task, pause in again]


def _next(task: _Task, one: Visited, asked: Roll, retries: Retries) -> _Task:
    """Give the task that comes after a failed one."""
    name = retries.name(task.board.name, asked.visit.run_id, one.outcome.error_code)
    return _Task(task.board, name, after=task.after if one.token is None else one.token)


def _keep(one: Visited, asked: Roll, crew: Crew) -> BoardOutcome:
    """Say and write down how it went with a board."""
    crew.progress.event(one.outcome.board, outcome_in_one_line(one.outcome))
    drawn = draw(one, asked.visit, asked.images, asked.folder)
    crew.ledger.record_outcome(asked.visit.run_id, drawn)
    crew.notes.of(asked.fleet).note_outcome(drawn, asked.visit.release, now())
    return drawn


def _visit_all(tasks: Sequence[_Task], asked: Roll, crew: Crew) -> Iterator[tuple[_Task, Visited]]:
    """Visit boards at once, as many as may be."""
    work = partial(_visit_one, visit=asked.visit, gear=asked.gear)
    caps = at_once(asked.fleet.caps)
    of_tasks: AtOnce[_Task] = AtOnce(caps.in_all, caps.of_group, _groups)
    for result in crew.engine.map(work, tasks, of_tasks):
        if isinstance(result, Failed):
            yield result.item, _crashed(result.item.board, result.error)
        else:
            yield result.item, result.value


def _visit_one(task: _Task, visit: Visit, gear: Gear) -> Visited:
    return visit_board(task.board, replace(visit, run_id=task.run_id, after=task.after), gear)


def _groups(task: _Task) -> tuple[str, ...]:
    return groups(task.board)


def _crashed(board: Board, error: Exception) -> Visited:
    text = f"{board.name}: {type(error).__name__}: {error}"
    hint = "this is a bug in orch: please report it"
    outcome = BoardOutcome(board.name, board.simulated, {})
    return Visited(replace(outcome, error_code="INTERNAL", error=text, hint=hint))
