"""Go through a night's boards, with retries; write down at once what came of each."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from orchestrator.clock import now
from orchestrator.domain import Board, BoardOutcome, Fleet
from orchestrator.fleet.errands import at_once, groups
from orchestrator.fleet.pictures import draw
from orchestrator.fleet.retries import Retries
from orchestrator.fleet.rolling import Crew, crashed
from orchestrator.fleet.visits import Gear, Visited
from orchestrator.nights.order import Prepared
from orchestrator.nights.visiting import NightVisit, visit_for_night
from orchestrator.parallel import AtOnce, Failed, Ok
from orchestrator.table import outcome_in_one_line


@dataclass(frozen=True, slots=True)
class Stop:
    """A board that is visited in a night: for what, and after how long a try before."""

    board: Board
    night: NightVisit


Came = dict[str, Visited]
_Result = Ok[Stop, Came] | Failed[Stop]


@dataclass(frozen=True, slots=True)
class Watch:
    """A night's boards and what is needed to go through them."""

    fleet: Fleet
    prepared: tuple[Prepared, ...]
    gear: Gear
    crew: Crew


def go_through(stops: Sequence[Stop], watch: Watch) -> None:
    """Visit boards in this order; what came of each is in the ledger when it returns."""
    retries = Retries(len(stops))
    progress = watch.crew.progress

    def again(result: _Result) -> tuple[Stop, float] | None:
        stop, came = _understood(result)
        failed = [one for one in came.values() if one.outcome.error_code]
        if not failed or len(failed) < len(came):
            return None
        one = failed[0]
        pause = retries.take(stop.board.name, one.outcome.error_code, one.free_in_s)
        if pause is None:
            return None
        progress.event(stop.board.name, f"{one.outcome.error}; tried again in {pause:g} s")
        return stop, pause

    caps = at_once(watch.fleet.caps)
    of_stops: AtOnce[Stop] = AtOnce(caps.in_all, caps.of_group, lambda stop: groups(stop.board))
    work = partial(_visit, gear=watch.gear)
    for count, result in enumerate(
        watch.crew.engine.map(work, list(stops), of_stops, again), start=1
    ):
        stop, came = _understood(result)
        if came:
            _keep(stop, came, watch)
        progress.advance("boards", "visited", count, len(stops))


def _visit(stop: Stop, gear: Gear) -> Came:
    """Visit a board; nothing comes of one whose turn is after the night's end."""
    ends_at = stop.night.ends_at
    if ends_at is not None and time.time() > ends_at:
        return {}
    return visit_for_night(stop.board, stop.night, gear)


def _understood(result: _Result) -> tuple[Stop, Came]:
    if isinstance(result, Failed):
        one = crashed(result.item.board, result.error)
        return result.item, dict.fromkeys(result.item.night.parts, one)
    return result.item, result.value


def _keep(stop: Stop, came: Came, watch: Watch) -> None:
    """Say and write down how it went with a board."""
    crew = watch.crew
    for prepared in watch.prepared:
        recipe, run_id = prepared.part.recipe.name, prepared.part.run.run_id
        one = came[recipe]
        for remark in one.remarks:
            crew.progress.event(stop.board.name, remark)
        crew.progress.event(stop.board.name, f"{recipe}: {_in_words(one.outcome)}")
        if prepared.here.truth is not None and one.answers:
            accuracy = prepared.here.truth.accuracy(one.answers)
            one = replace(one, outcome=replace(one.outcome, accuracy=accuracy))
        drawn = draw(one, prepared.visit, prepared.images, crew.reports / run_id)
        crew.ledger.record_outcome(run_id, drawn)
        if prepared is watch.prepared[0]:
            crew.notes.of(watch.fleet).note_outcome(drawn, prepared.visit.release, now())


def _in_words(outcome: BoardOutcome) -> str:
    said = outcome_in_one_line(outcome)
    measured = outcome.measurement
    if measured is None or outcome.error_code:
        return said
    rounds = f"{len(measured.round_sizes or (0,))} rounds"
    unused = f", {len(outcome.attempts)} not used" if outcome.attempts else ""
    return f"{rounds}{unused}, {said}"


def outcomes_of(
    recorded: Mapping[str, Sequence[BoardOutcome]], board: str
) -> dict[str, BoardOutcome]:
    """Give what is written down of a board, by recipe."""
    return {
        recipe: one
        for recipe, outcomes in recorded.items()
        for one in outcomes
        if one.board == board
    }
