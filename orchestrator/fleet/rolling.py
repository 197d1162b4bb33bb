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


def _work_on(
    boards: Sequence[Board],
    asked: Roll,
    crew: Crew,
    retries: Retries,
    outcomes: dict[str, BoardOutcome],
) -> None:
    """Visit the boards of a wave, some of them again; say and keep how each went at once."""
    run_id, progress = asked.visit.run_id, crew.progress
    tasks = [(board, run_id) for board in boards]
    while tasks:
        again: list[tuple[Board, str]] = []
        pause_s = 0.0
        for (board, _), one in _visit_all(tasks, asked, crew):
            outcome = one.outcome
            for remark in one.remarks:
                progress.event(board.name, remark)
            if (pause := retries.take(board.name, outcome.error_code)) is not None:
                again.append((board, retries.name(board.name, run_id, outcome.error_code)))
                pause_s = max(pause_s, pause)
                progress.event(board.name, f"{outcome.error}; tried again in {pause:g} s")
                continue
            progress.event(board.name, outcome_in_one_line(outcome))
            drawn = draw(one, asked.visit, asked.images, asked.folder)
            crew.ledger.record_outcome(run_id, drawn)
            crew.notes.of(asked.fleet).note_outcome(drawn, asked.visit.release, now())
            outcomes[board.name] = drawn
            progress.advance("boards", "visited", len(outcomes), len(asked.fleet.boards))
        asked.wait(pause_s)
        tasks = again


def _visit_all(
    tasks: Sequence[tuple[Board, str]], asked: Roll, crew: Crew
) -> Iterator[tuple[tuple[Board, str], Visited]]:
    """Visit boards at once, as many as may be; `tasks` name the work on each."""
    work = partial(_visit_one, visit=asked.visit, gear=asked.gear)
    caps = at_once(asked.fleet.caps)
    of_tasks: AtOnce[tuple[Board, str]] = AtOnce(caps.in_all, caps.of_group, _groups)
    for result in crew.engine.map(work, tasks, of_tasks):
        if isinstance(result, Failed):
            yield result.item, _crashed(result.item[0], result.error)
        else:
            yield result.item, result.value


def _visit_one(task: tuple[Board, str], visit: Visit, gear: Gear) -> Visited:
    board, run_id = task
    return visit_board(board, replace(visit, run_id=run_id), gear)


def _groups(task: tuple[Board, str]) -> tuple[str, ...]:
    return groups(task[0])


def _crashed(board: Board, error: Exception) -> Visited:
    text = f"{board.name}: {type(error).__name__}: {error}"
    hint = "this is a bug in orch: please report it"
    outcome = BoardOutcome(board.name, board.simulated, {})
    return Visited(replace(outcome, error_code="INTERNAL", error=text, hint=hint))
