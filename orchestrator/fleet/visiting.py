"""One board: take its lease, bring the release, prove and measure it, undo it where it is worse."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

from orchestrator.agent import Agent
from orchestrator.agents import with_agent
from orchestrator.boards.check import Known, check_board, refuse
from orchestrator.boards.compatibility import Finding
from orchestrator.boards.identity import changed
from orchestrator.conditions import scripted
from orchestrator.domain import (
    Board,
    BoardOutcome,
    Delivery,
    Release,
)
from orchestrator.errors import AgentError, BoardError, DeadlineError, Leased, OrchError
from orchestrator.fleet.beside import beside, remarks_beside
from orchestrator.fleet.releasing import collect
from orchestrator.fleet.rollout import against_baseline
from orchestrator.fleet.visits import Gear, Visit, Visited
from orchestrator.leases import leased
from orchestrator.replies import Probe
from orchestrator.stages.deploy import (
    Means,
    deploy,
    is_there,
    missing_blobs,
    needs_switch,
    wanted,
    wrong_release,
)
from orchestrator.stages.run import Work, run
from orchestrator.stages.smoke import smoke

#: What a board says of a model that it does not run: it goes back to the one before.
_MODEL_FAILS = frozenset(
    {"MODEL_REJECTED", "VNPU_CONFLICT", "CMM_FULL", "INPUT_MISMATCH", "RUN_FAILED"}
)


def visit_board(board: Board, visit: Visit, gear: Gear) -> Visited:
    """Deploy to one board and run there; a failure is an outcome that keeps what was learned."""
    found = nothing_found(board, visit)

    def work(agent: Agent) -> None:
        agent.end_after(visit.deadline_s)
        if not visit.measure and is_there(agent, visit.release):
            found.learn(delivery=Delivery(visit.release.release_id, 0, False, False, {}))
            return
        hashes = [item.sha256 for item in wanted(visit.release)]
        with (
            _alone(board, gear),
            leased(
                agent, visit.owner, hashes, after=_after(visit, gear, board), dead=visit.dead
            ) as probe,
        ):
            found.visited = replace(found.visited, token=probe.token)
            found.learn(facts=probe.facts, simulated=probe.facts.get("simulated") is True)
            check(board, probe, visit, gear, found)
            bring(agent, probe, visit, gear, found)
            if visit.measure:
                _measure(agent, visit, found)

    with kept(found), gear.connect(board) as transport:
        with_agent(board, transport, visit.agents, work)
    return found.visited


@dataclass(slots=True)
class Found:
    """What is known of a board so far, whatever happens next."""

    visited: Visited

    @property
    def outcome(self) -> BoardOutcome:
        """As it would be recorded now."""
        return self.visited.outcome

    def learn(self, **fields: object) -> None:
        """Add to what is known of the board."""
        outcome = replace(self.outcome, **fields)  # type: ignore[arg-type] # names are checked
        self.visited = replace(self.visited, outcome=outcome)


def nothing_found(board: Board, visit: Visit) -> Found:
    """Give what is known of a board before it is visited."""
    origin = None if visit.origin is None else replace(visit.origin, site=board.site)
    return Found(Visited(BoardOutcome(board.name, board.simulated, {}, origin=origin)))


def _after(visit: Visit, gear: Gear, board: Board) -> int | None:
    """Give the token that the next one has to follow; None where the board was not held yet."""
    if visit.after is None or gear.relays is None:
        return visit.after
    return gear.relays.held_after(board, visit.after)


def _alone(board: Board, gear: Gear) -> AbstractContextManager[None]:
    """Keep a relay from being visited and filled at once."""
    return nullcontext() if gear.relays is None else gear.relays.visiting(board)


@contextmanager
def kept(found: Found) -> Iterator[None]:
    """Make what goes wrong a part of the outcome."""
    try:
        yield
    except (BoardError, DeadlineError) as error:
        found.learn(error_code=error.code, error=str(error), hint=error.hint)
        if isinstance(error, Leased):
            found.visited = replace(found.visited, free_in_s=error.free_in_s)
    except OrchError as error:
        found.learn(error_code="FAILED", error=str(error), hint=error.hint)


def check(board: Board, probe: Probe, visit: Visit, gear: Gear, found: Found) -> None:
    """Refuse a board that cannot take the release, before a byte is copied; keep the remarks."""
    missing = [] if visit.only_measure else missing_blobs(probe, visit.release)
    sent = sum(item.size_bytes for item in missing)
    need = replace(visit.need, send_bytes=sent, files=len(missing))
    known = Known(time.time(), None, visit.loaded, visit.ignore_learned)
    findings = check_board(probe.facts, visit.release, need, known)
    uid = probe.facts.get("uid")
    named = uid if isinstance(uid, str) else None
    about = [changed(named, visit.uids.get(board.name))]
    if gear.uids is not None:
        about.append(gear.uids.claim(board, named))
    findings = [*findings, *(one for one in about if one is not None)]
    found.visited = replace(found.visited, remarks=_remarks(findings))
    refuse(board.name, findings)


def _remarks(findings: list[Finding]) -> tuple[str, ...]:
    return tuple(
        f"{one.message} ({one.hint})" if one.hint else one.message
        for one in findings
        if one.level == "warn"
    )


def bring(agent: Agent, probe: Probe, visit: Visit, gear: Gear, found: Found) -> None:
    """See to it that the release is the current one, or that it is already."""
    if visit.only_measure:
        found.learn(delivery=_look(agent, probe, visit.release))
        return
    prove: Callable[[], float] | None = None
    if visit.golden:
        prove = partial(smoke, agent, visit.recipe, visit.release, visit.golden, visit.run_id)
    fetch = None if gear.relays is None else gear.relays.fetch
    means = Means(gear.encoder, fetch, prove, last=not visit.measure)
    found.learn(delivery=deploy(agent, probe, visit.release, means))


def _look(agent: Agent, probe: Probe, release: Release) -> Delivery:
    """Look whether the board has the release already. Raises AgentError."""
    if needs_switch(probe, release) or missing_blobs(probe, release):
        raise wrong_release(agent, probe, release)
    return Delivery(release.release_id, 0, agent.uploaded, activated=False, facts=probe.facts)


def _measure(agent: Agent, visit: Visit, found: Found) -> None:
    """Measure the release; go back to the one before where it fails or is worse than is allowed."""
    release = visit.release
    try:
        work = Work(visit.recipe, release, visit.reference, visit.run_id, visit.again)
        ran = run(agent, work)
    except AgentError as error:
        if error.code in _MODEL_FAILS:
            _undo(agent, release, (error.message,), found)
        raise
    found.learn(
        measurement=ran.last.measurement,
        judged=ran.last.judged,
        attempts=ran.attempts,
        agreement=ran.agreement,
        output_sha256=ran.output_sha256,
        power=ran.power,
    )
    remarks = found.visited.remarks + ran.remarks
    found.visited = replace(found.visited, answers=ran.answers, remarks=remarks)
    baseline = visit.baselines.get(agent.board.name)
    if worse := against_baseline(found.outcome, baseline, visit.rollout):
        _undo(agent, release, worse, found)
    elif found.outcome.delivery is not None and found.outcome.delivery.activated:
        collect(agent, [item.sha256 for item in release.inputs])
    if not worse:
        _measure_beside(agent, visit, found)


def _measure_beside(agent: Agent, visit: Visit, found: Found) -> None:
    """Measure by other means, apart from the latency; what fails of it is no failure of that."""
    work = (visit.recipe, visit.release, visit.contend, visit.run_id)
    found.learn(**beside(agent, *work, trace=scripted(found.outcome.measurement)))
    remarks = found.visited.remarks + remarks_beside(found.outcome)
    found.visited = replace(found.visited, remarks=remarks)


def _undo(agent: Agent, release: Release, why: tuple[str, ...], found: Found) -> None:
    """Make the release before the current one again, if it was this visit that changed it."""
    delivery = found.outcome.delivery
    if delivery is None or not delivery.activated or delivery.before is None:
        return
    agent.ask("rollback", {"from": release.release_id})
    found.learn(delivery=replace(delivery, undone=why))
