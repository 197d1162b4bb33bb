"""Go through a fleet wave by wave, with retries, until all boards are done or it has to stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from orchestrator.accuracy import Truth
from orchestrator.boards.remembering import FleetNotes
from orchestrator.clock import now
from orchestrator.domain import Board, BoardOutcome, Fleet
from orchestrator.fleet.errands import at_once, groups
from orchestrator.fleet.pictures import draw
from orchestrator.fleet.retries import Retries
from orchestrator.fleet.rollout import reason_to_stop, waves
from orchestrator.fleet.visiting import visit_board
from orchestrator.fleet.visits import Gear, Visit, Visited
from orchestrator.images import NamedImage
from orchestrator.parallel import AtOnce, Engine, Failed, Ok
from orchestrator.seams import Connect, Ledger, Progress
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
    """Which boards are visited for what; pictures of `images` go below `folder`.

    Attributes:
        patience: times the pauses before boards are tried again.
        truth: what the images show; None: nothing but what the float model says of them.
    """

    fleet: Fleet
    visit: Visit
    gear: Gear
    images: tuple[NamedImage, ...]
    folder: Path
    pause: bool = False
    patience: float = 1.0
    truth: Truth | None = None


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
    """Work on a board under a name, and the token it was held under before."""

    board: Board
    run_id: str
    after: int | None = None


_Result = Ok[_Task, Visited] | Failed[_Task]


def _work_on(
    boards: Sequence[Board],
    asked: Roll,
    crew: Crew,
    retries: Retries,
    outcomes: dict[str, BoardOutcome],
) -> None:
    """Visit the boards of a wave, some of them again; say and keep how each went at once."""
    progress = crew.progress
    before: dict[str, BoardOutcome] = {}

    def again(result: _Result) -> tuple[_Task, float] | None:
        task, one = _understood(result)
        for remark in one.remarks:
            progress.event(task.board.name, remark)
        pause = retries.take(task.board.name, one.outcome.error_code, one.free_in_s)
        if pause is None:
            return None
        before[task.board.name] = _with_what_was_learned(one.outcome, before)
        progress.event(task.board.name, f"{one.outcome.error}; tried again in {pause:g} s")
        return _next(task, one, asked, retries), pause * asked.patience

    work = partial(_visit_one, visit=asked.visit, gear=asked.gear)
    caps = at_once(asked.fleet.caps)
    of_tasks: AtOnce[_Task] = AtOnce(caps.in_all, caps.of_group, _groups)
    tasks = [_Task(board, asked.visit.run_id) for board in boards]
    for result in crew.engine.map(work, tasks, of_tasks, again):
        task, one = _understood(result)
        one = replace(one, outcome=_with_what_was_learned(one.outcome, before))
        outcomes[task.board.name] = _keep(one, asked, crew)
        progress.advance("boards", "visited", len(outcomes), len(asked.fleet.boards))


def _with_what_was_learned(
    outcome: BoardOutcome, before: Mapping[str, BoardOutcome]
) -> BoardOutcome:
    """Keep what an earlier try has found out, where a later one did not come so far."""
    earlier = before.get(outcome.board)
    if earlier is None or outcome.facts:
        return outcome
    return replace(
        outcome,
        facts=earlier.facts,
        simulated=earlier.simulated,
        delivery=outcome.delivery or earlier.delivery,
    )


def _next(task: _Task, one: Visited, asked: Roll, retries: Retries) -> _Task:
    """Give the task that comes after a failed one."""
    name = retries.name(task.board.name, asked.visit.run_id, one.outcome.error_code)
    return _Task(task.board, name, after=task.after if one.token is None else one.token)


def _keep(one: Visited, asked: Roll, crew: Crew) -> BoardOutcome:
    """Say and write down how it went with a board."""
    crew.progress.event(one.outcome.board, outcome_in_one_line(one.outcome))
    if asked.truth is not None and one.answers:
        accuracy = asked.truth.accuracy(one.answers)
        one = replace(one, outcome=replace(one.outcome, accuracy=accuracy))
    drawn = draw(one, asked.visit, asked.images, asked.folder)
    crew.ledger.record_outcome(asked.visit.run_id, drawn)
    crew.notes.of(asked.fleet).note_outcome(drawn, asked.visit.release, now())
    return drawn


def _understood(result: _Result) -> tuple[_Task, Visited]:
    if isinstance(result, Failed):
        return result.item, crashed(result.item.board, result.error)
    return result.item, result.value


def _visit_one(task: _Task, visit: Visit, gear: Gear) -> Visited:
    return visit_board(task.board, replace(visit, run_id=task.run_id, after=task.after), gear)


def _groups(task: _Task) -> tuple[str, ...]:
    return groups(task.board)


def crashed(board: Board, error: Exception) -> Visited:
    """Give what is left of a visit that ended by a bug."""
    text = f"{board.name}: {type(error).__name__}: {error}"
    hint = "this is a bug in orch: please report it"
    outcome = BoardOutcome(board.name, board.simulated, {})
    return Visited(replace(outcome, error_code="INTERNAL", error=text, hint=hint))
