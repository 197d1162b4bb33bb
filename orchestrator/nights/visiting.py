"""One board in one night: take its lease, bring the releases, measure them in turns, hear them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from orchestrator.accuracy import agreement_with, answers_sha256
from orchestrator.agent import Agent
from orchestrator.agents import with_agent
from orchestrator.domain import Attempt, Board, BoardOutcome, Delivery
from orchestrator.errors import AgentError, Refused
from orchestrator.fleet.releasing import collect
from orchestrator.fleet.visiting import Found, bring, check, kept, nothing_found
from orchestrator.fleet.visits import Gear, Visit, Visited
from orchestrator.leases import leased
from orchestrator.nights.merging import merge
from orchestrator.nights.turns import turns
from orchestrator.replies import Probe
from orchestrator.stages.deploy import missing_blobs, stage, wanted
from orchestrator.stages.run import Work, hear, measure

#: Where nobody knows how long a round takes: nothing is begun with less left than this.
_LEAST_S = 5.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NightVisit:
    """What a board is visited for in a night.

    Attributes:
        parts: by recipe; the first one's release becomes the current one, the others lie beside it.
        rounds: those that are to be measured: 1 to 5, say, or 6 to 10 when more are asked for.
        seed: what the order of recipes is drawn from.
        ends_at: no round is begun after this, in seconds since the epoch; None: any time.
        earlier: outcomes of this night that more rounds are added to, by recipe.
    """

    parts: Mapping[str, Visit]
    rounds: range
    seed: str
    ends_at: float | None = None
    earlier: Mapping[str, BoardOutcome] = field(default_factory=dict)

    @property
    def first(self) -> Visit:
        """The one whose release becomes the current one."""
        return next(iter(self.parts.values()))


def visit_for_night(board: Board, night: NightVisit, gear: Gear) -> dict[str, Visited]:
    """Give what came of each recipe on a board; a failure is an outcome that keeps what it can."""
    founds = {recipe: _begin(board, visit, night) for recipe, visit in night.parts.items()}
    first = night.first

    def work(agent: Agent) -> None:
        agent.end_after(first.deadline_s)
        blobs = {item.sha256: None for one in night.parts.values() for item in wanted(one.release)}
        with leased(agent, first.owner, list(blobs), after=first.after, dead=first.dead) as probe:
            for found in founds.values():
                found.visited = replace(found.visited, token=probe.token)
                found.learn(facts=probe.facts, simulated=probe.facts.get("simulated") is True)
            _bring_all(board, agent, probe, night, gear, founds)
            _measure_all(agent, night, founds)

    broken = Found(Visited(BoardOutcome(board.name, board.simulated, {})))
    with kept(broken), gear.connect(board) as transport:
        with_agent(board, transport, first.agents, work)
    if broken.outcome.error_code:
        _spread(broken, founds)
    return {recipe: found.visited for recipe, found in founds.items()}


def _begin(board: Board, visit: Visit, night: NightVisit) -> Found:
    earlier = night.earlier.get(visit.recipe.name)
    return nothing_found(board, visit) if earlier is None else Found(Visited(earlier))


def _spread(broken: Found, founds: Mapping[str, Found]) -> None:
    """Say of every recipe that is not through why not; an earlier outcome stays as it was."""
    told, more = broken.outcome, broken.visited
    for found in founds.values():
        found.visited = replace(found.visited, free_in_s=more.free_in_s)
        if found.outcome.measurement is None and not found.outcome.error_code:
            found.learn(error_code=told.error_code, error=told.error, hint=told.hint)


@contextmanager
def _of_one_recipe(found: Found) -> Iterator[None]:
    """Keep what is one recipe's failure from ending the visit; what is the board's ends it."""
    try:
        yield
    except (AgentError, Refused) as error:
        if error.code in {"LEASED", "STALE_TOKEN", "BUSY"}:
            raise
        found.learn(error_code=error.code, error=str(error), hint=error.hint)


def _bring_all(
    board: Board,
    agent: Agent,
    probe: Probe,
    night: NightVisit,
    gear: Gear,
    founds: Mapping[str, Found],
) -> None:
    """Have the first release be the current one, and the others beside it."""
    for visit, found in zip(night.parts.values(), founds.values(), strict=True):
        with _of_one_recipe(found):
            check(board, probe, visit, gear, found)
            if visit is night.first:
                bring(agent, probe, visit, gear, found)
                _collect(agent, night, found)
            elif found.outcome.delivery is None:
                found.learn(delivery=_stage(agent, probe, visit, gear))


def _collect(agent: Agent, night: NightVisit, found: Found) -> None:
    """After a switch, clear away what no release needs, before others are put beside it."""
    delivery = found.outcome.delivery
    if delivery is not None and delivery.activated:
        inputs = [item.sha256 for one in night.parts.values() for item in one.release.inputs]
        collect(agent, inputs)


def _stage(agent: Agent, probe: Probe, visit: Visit, gear: Gear) -> Delivery:
    """Bring a release beside the current one."""
    release = visit.release
    sent = sum(item.size_bytes for item in missing_blobs(probe, release))
    stage(agent, probe, release, gear.encoder)
    return Delivery(release.release_id, sent, agent.uploaded, activated=False, facts=probe.facts)


def _measure_all(agent: Agent, night: NightVisit, founds: Mapping[str, Found]) -> None:
    """Measure the recipes in turns, then hear what each says of the evaluation images."""
    done: dict[str, list[Attempt]] = {recipe: [] for recipe in founds}
    works = {recipe: _work(visit, night) for recipe, visit in night.parts.items()}
    try:
        for number, recipe in turns(list(founds), night.rounds, night.seed, agent.board.name):
            found = founds[recipe]
            if found.outcome.error_code or (_is_over(night) and done[recipe]):
                continue
            with _of_one_recipe(found):
                of = f"{works[recipe].run_id}-r{number}"
                attempt, power = _twice(partial(measure, agent, works[recipe]), of)
                done[recipe].append(attempt)
                found.learn(power=power)
    finally:
        for recipe, attempts in done.items():
            _learn(founds[recipe], attempts)
    for recipe, found in founds.items():
        if found.outcome.agreement is None and not found.outcome.error_code:
            with _of_one_recipe(found):
                _hear(agent, works[recipe], found)


def _learn(found: Found, attempts: list[Attempt]) -> None:
    """Put what was measured to what there was."""
    if not attempts:
        return
    outcome = found.outcome
    before = []
    if outcome.measurement is not None and outcome.judged is not None:
        before = [Attempt(outcome.measurement, outcome.judged)]
    merged = merge([*before, *attempts])
    found.learn(
        measurement=merged.last.measurement,
        judged=merged.last.judged,
        attempts=(*outcome.attempts, *merged.unused),
    )


def _hear(agent: Agent, work: Work, found: Found) -> None:
    """Have the release look at the evaluation images, and compare with the float model."""
    answers = _twice(lambda of: hear(agent, replace(work, run_id=of)), work.run_id)
    found.learn(
        agreement=agreement_with(work.reference, answers, work.recipe),
        output_sha256=answers_sha256(answers),
    )
    found.visited = replace(found.visited, answers=answers)


def _twice(ask: Callable[[str], T], of: str) -> T:
    """Ask once more, under another name, where a run failed on the board.

    What a board had begun before a night was killed, or the board itself, may have ended without a
    result; under its old name it would say so for ever.
    """
    try:
        return ask(of)
    except AgentError as error:
        if error.code != "RUN_FAILED":
            raise
        return ask(f"{of}-again")


def _work(visit: Visit, night: NightVisit) -> Work:
    staged = visit is not night.first
    return Work(visit.recipe, visit.release, visit.reference, visit.run_id, staged=staged)


def _is_over(night: NightVisit) -> bool:
    return night.ends_at is not None and time.time() + _LEAST_S > night.ends_at
