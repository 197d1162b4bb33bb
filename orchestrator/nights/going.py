"""A night from its first board to its verdict; one that was killed goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.boards.identity import UidRegistry
from orchestrator.boards.quarantine import to_visit
from orchestrator.clock import now
from orchestrator.domain import BoardOutcome, Json, Night
from orchestrator.fleet.comparing import on_host
from orchestrator.fleet.pictures import draw_contact_sheet, images_to_draw
from orchestrator.fleet.retries import MENDED, STATE, TAKEN_OVER, TRANSPORT
from orchestrator.fleet.rolling import Crew
from orchestrator.fleet.visits import Gear
from orchestrator.judging.more import wants_more
from orchestrator.nights.boards import Stop, Watch, go_through, outcomes_of
from orchestrator.nights.ending import conclude, judge_part
from orchestrator.nights.order import NightEnded, NightOrder, Part, Prepared
from orchestrator.nights.visiting import NightVisit
from orchestrator.pipeline import Order, prepare
from orchestrator.stages.report import write_report

#: What a board failed by that is worth another visit when a night goes on.
_AGAIN = STATE | TRANSPORT | TAKEN_OVER | MENDED


def run_night(order: NightOrder, crew: Crew, night: Night) -> NightEnded:
    """Visit the boards, ask for more where that tells, judge, and write it all down.

    Boards that the ledger has outcomes of already are not visited again.
    """
    visits = to_visit(crew.notes.healths, order.fleet.boards, now())
    for board, reason in visits.skipped.items():
        crew.progress.event(board, f"left out: {reason}")
    prepared = tuple(_prepare(order, part, crew) for part in order.parts)
    watch = Watch(order.fleet, prepared, Gear(crew.connect, crew.encoder, UidRegistry()), crew)
    chosen = [name for name in order.plan.boards if name not in visits.skipped]
    _first_rounds(order, chosen, watch, night)
    _more_rounds(order, chosen, watch, night)
    recorded = _recorded(order.parts, crew)
    ended = conclude(order, prepared, recorded, dict(visits.skipped), crew, night)
    for one, run in zip(prepared, ended.runs, strict=True):
        folder = crew.reports / run.run_id
        outcomes = ended.outcomes[one.part.recipe.name]
        draw_contact_sheet(outcomes, one.visit, one.images, folder)
        write_report(run, outcomes, folder)
    return ended


def _prepare(order: NightOrder, part: Part, crew: Crew) -> Prepared:
    here = on_host(part.recipe, part.built, crew.encoder.blobs)
    wanted = Order(part.recipe, part.built, order.fleet, dead=order.dead)
    visit = prepare(wanted, crew, part.run, here)
    return Prepared(part, here, visit, images_to_draw(part.recipe))


def _recorded(parts: Sequence[Part], crew: Crew) -> dict[str, list[BoardOutcome]]:
    return {part.recipe.name: crew.ledger.outcomes(part.run.run_id) for part in parts}


def _first_rounds(order: NightOrder, chosen: Sequence[str], watch: Watch, night: Night) -> None:
    """Visit the boards that are not through, in the plan's order, as long as there is time."""
    recorded = _recorded(order.parts, watch.crew)
    rounds = range(1, order.plan.rounds + 1)
    visit = _night_visit(order, watch, night, rounds)
    boards = {one.name: one for one in order.fleet.boards}
    stops = [
        Stop(boards[name], visit)
        for name in chosen
        if name in boards and not _is_through(outcomes_of(recorded, name), len(order.parts))
    ]
    go_through(stops, watch)


def _more_rounds(order: NightOrder, chosen: Sequence[str], watch: Watch, night: Night) -> None:
    """Measure on where more rounds tell something, the widest interval first."""
    crew, spec = watch.crew, order.spec
    if not spec.more_rounds:
        return
    kept = crew.ledger.plan(night.night_id)
    names = _names(kept)
    if names is None:
        asked = [
            name for one in watch.prepared for name in wants_more(judge_part(order, one, crew))
        ]
        names = list(dict.fromkeys(asked))
        crew.ledger.record_plan(night.night_id, {"more": list(names)})
    boards = {one.name: one for one in order.fleet.boards}
    rounds = range(order.plan.rounds + 1, order.plan.rounds + spec.more_rounds + 1)
    recorded = _recorded(order.parts, crew)
    stops = []
    for name in names:
        earlier = outcomes_of(recorded, name)
        if name in boards and name in chosen and not _has_more(earlier, order.plan.rounds):
            visit = _night_visit(order, watch, night, rounds)
            stops.append(Stop(boards[name], replace(visit, earlier=earlier)))
    if stops and not _is_over(order):
        said = " ".join(stop.board.name for stop in stops)
        crew.progress.event("night", f"up to {len(rounds)} more rounds where they tell: {said}")
        go_through([] if _is_over(order) else stops, watch)


def _names(kept: Mapping[str, Json] | None) -> list[str] | None:
    """Give the boards that were asked for more already, before a break; None: nobody was asked."""
    more = None if kept is None else kept.get("more")
    return [str(one) for one in more] if isinstance(more, list) else None


def _night_visit(order: NightOrder, watch: Watch, night: Night, rounds: range) -> NightVisit:
    parts = {one.part.recipe.name: one.visit for one in watch.prepared}
    return NightVisit(parts, rounds, night.night_id, order.ends_at)


def _is_through(known: Mapping[str, BoardOutcome], recipes: int) -> bool:
    """Say whether a board needs no visit: every recipe has an outcome that stays as it is."""
    return len(known) == recipes and not any(one.error_code in _AGAIN for one in known.values())


def _has_more(known: Mapping[str, BoardOutcome], rounds: int) -> bool:
    """Say whether more rounds were measured already than the first ones."""
    return any(
        one.measurement is not None
        and len(one.measurement.round_sizes) + len(one.attempts) > rounds
        for one in known.values()
    )


def _is_over(order: NightOrder) -> bool:
    return order.ends_at is not None and time.time() > order.ends_at
