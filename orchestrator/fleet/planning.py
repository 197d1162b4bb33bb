"""What a deploy would do on each board, and why; nothing is changed or left there."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from orchestrator.agent import Agent
from orchestrator.boards.check import Known, check_board, refuse
from orchestrator.boards.identity import duplicates
from orchestrator.boards.quarantine import to_visit
from orchestrator.boards.remembering import FleetNotes
from orchestrator.clock import now
from orchestrator.domain import Board, Fleet
from orchestrator.errors import BoardError
from orchestrator.fleet.errands import Answer, Courier, run_errands
from orchestrator.fleet.rollout import waves
from orchestrator.fleet.visits import Visit
from orchestrator.leases import look
from orchestrator.stages.deploy import missing_blobs, needs_switch, plan, wanted
from orchestrator.transfer.encoding import Encoder

#: `deploy`: something is copied or switched; `measure`: the board has the release already.
Action = Literal["deploy", "measure", "refuse", "skip"]


@dataclass(frozen=True, slots=True)
class BoardPlan:
    """What would be done on one board.

    Attributes:
        wave: the number of the wave it is in, from 1.
        current: the release that it has now.
        switch_to: the release that it would be switched to; None: it stays with what it has.
        send_bytes: what would go over the line; over the uplink, where its site has no relay.
        sends: each blob in words.
        why: what speaks against it, or why it is left out.
    """

    wave: int
    action: Action
    current: str | None = None
    switch_to: str | None = None
    send_bytes: int = 0
    sends: tuple[str, ...] = ()
    why: str = ""
    uid: str | None = None


def plan_fleet(
    fleet: Fleet, visit: Visit, encoder: Encoder, notes: FleetNotes, courier: Courier
) -> list[tuple[str, BoardPlan]]:
    """Plan for every board, in the order of the waves. Nothing is written down."""
    visits = to_visit(notes.healths, fleet.boards, now())
    errand = partial(_plan, visit=visit, encoder=encoder)
    answers = run_errands(visits.visit, fleet.caps, courier, errand, lambda one: one.action)
    known = {one.board: one for one in answers}
    twice = duplicates(
        visits.visit, {one.board: one.value.uid for one in answers if one.value is not None}
    )
    planned: list[tuple[str, BoardPlan]] = []
    numbers = _wave_numbers(fleet, visits.visit)
    for board in sorted(fleet.boards, key=lambda board: numbers.get(board.name, 0)):
        number = numbers.get(board.name, 0)
        if board.name in visits.skipped:
            one = BoardPlan(number, "skip", why=visits.skipped[board.name])
        else:
            one = replace(_known(known[board.name]), wave=number)
        if board.name in twice:
            one = replace(one, action="refuse", why=twice[board.name].message, switch_to=None)
        planned.append((board.name, one))
    return planned


def _wave_numbers(fleet: Fleet, boards: Sequence[Board]) -> Mapping[str, int]:
    """Give the number of each board's wave, from 1."""
    cut = waves(boards, fleet.rollout)
    return {board.name: number for number, wave in enumerate(cut, start=1) for board in wave.boards}


def _known(answer: Answer[BoardPlan]) -> BoardPlan:
    if answer.value is not None:
        return answer.value
    hint = f" ({answer.hint})" if answer.hint else ""
    return BoardPlan(0, "refuse", why=f"{answer.error}{hint}")


def _plan(agent: Agent, visit: Visit, encoder: Encoder) -> BoardPlan:
    """Plan for one board by what it says now."""
    board, release = agent.board, visit.release
    probe = look(agent, [item.sha256 for item in wanted(release)])
    missing = missing_blobs(probe, release)
    uid = probe.facts.get("uid")
    found = BoardPlan(
        0, "measure", current=probe.current, uid=uid if isinstance(uid, str) else None
    )
    sent = sum(item.size_bytes for item in missing)
    need = replace(visit.need, send_bytes=sent, files=len(missing))
    known = Known(time.time(), probe.holder, visit.loaded, visit.ignore_learned)
    try:
        refuse(board.name, check_board(probe.facts, release, need, known))
    except BoardError as error:
        hint = f" ({error.hint})" if error.hint else ""
        return replace(found, action="refuse", why=f"{error}{hint}")
    shipments = plan(board, probe, missing, encoder)
    if not shipments and not needs_switch(probe, release):
        return found
    return replace(
        found,
        action="deploy",
        switch_to=release.release_id if needs_switch(probe, release) else None,
        send_bytes=sum(one.to_send for one in shipments),
        sends=tuple(str(one) for one in shipments),
    )
