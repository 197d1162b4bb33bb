"""The second half of the job: what was built goes through the fleet in waves, then is reported.

The first half, export → optimize → compile, is `building.py`; one board's part is `visiting.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.agent import Agent
from orchestrator.agents import load_agents
from orchestrator.boards.identity import UidRegistry
from orchestrator.boards.need import Need, cmm_of, need_of_sidecar
from orchestrator.boards.quarantine import to_visit
from orchestrator.building import Built
from orchestrator.clock import now
from orchestrator.domain import (
    ActionRecord,
    Again,
    Board,
    BoardOutcome,
    Contend,
    Fleet,
    Json,
    Recipe,
    Release,
    RunRecord,
)
from orchestrator.fleet.beside import failed_beside
from orchestrator.fleet.comparing import OnHost, judged_summary, on_host, origin_of
from orchestrator.fleet.pictures import draw_contact_sheet, images_to_draw
from orchestrator.fleet.quorum import quorums, with_quorums
from orchestrator.fleet.rolling import Crew, Roll, Rolled, roll
from orchestrator.fleet.visits import Gear, Visit
from orchestrator.leases import owner_of
from orchestrator.seams import Blobs
from orchestrator.stages.deploy import manifest, wanted
from orchestrator.stages.report import write_report
from orchestrator.table import summarise_run
from orchestrator.transfer.relaying import Cargo, Relays, relays_of


@dataclass(frozen=True, slots=True)
class Order:
    """What a fleet is to be worked on for.

    Attributes:
        only_measure: copy and switch nothing.
        measure: run the release on the boards as well.
        pause: end after the next wave that has something to do.
        ignore_learned: let boards try what others with the same software have rejected.
        done: outcomes that the run has already, when it goes on after a break.
        relays: boards of the inventory that hand blobs on; they need not be of the fleet.
        dead: runs of this workplace whose process was killed.
        again: whether a measurement that is not VALID is repeated.
        contend: who is to share the NPU with the release; None: nobody.
    """

    recipe: Recipe
    built: Built
    fleet: Fleet
    only_measure: bool = False
    measure: bool = True
    pause: bool = False
    ignore_learned: bool = False
    done: tuple[BoardOutcome, ...] = ()
    relays: tuple[Board, ...] = ()
    dead: tuple[str, ...] = ()
    again: Again = field(default_factory=Again)
    contend: Contend | None = None


@dataclass(frozen=True, slots=True)
class Aside:
    """What belongs to no outcome.

    Attributes:
        skipped: by board, why it was left out.
        relayed: by relay, the bytes that were sent to it for its site.
        accuracy: of the makers on this host, as the run's summary keeps it.
    """

    skipped: Mapping[str, str]
    relayed: Mapping[str, int]
    accuracy: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Finished:
    """A run with its outcomes, written down and reported."""

    run: RunRecord
    outcomes: tuple[BoardOutcome, ...]
    folder: Path


def deploy_fleet(order: Order, crew: Crew, started: RunRecord) -> Finished:
    """Deploy, run and report, wave by wave; a board that fails does not stop its wave."""
    visits = to_visit(crew.notes.healths, order.fleet.boards, now())
    for board, reason in visits.skipped.items():
        crew.progress.event(board, f"left out: {reason}")
    fleet = replace(order.fleet, boards=visits.visit)
    here = on_host(order.recipe, order.built, crew.encoder.blobs)
    visit = prepare(order, crew, started, here)
    folder = crew.reports / started.run_id
    images = images_to_draw(order.recipe)
    with _relays(order, crew, visit) as relays:
        gear = Gear(crew.connect, crew.encoder, UidRegistry(), relays)
        asked = Roll(fleet, visit, gear, images, folder, pause=order.pause, truth=here.truth)
        rolled = roll(asked, crew, order.done)
        relayed = (
            {} if relays is None else {name: one.uplink_bytes for name, one in relays.sent.items()}
        )
    run = _finished(started, order, visit, rolled, Aside(visits.skipped, relayed, here.kept))
    draw_contact_sheet(rolled.outcomes, visit, images, folder)
    write_report(run, rolled.outcomes, folder)
    return Finished(run, rolled.outcomes, folder)


def prepare(order: Order, crew: Crew, started: RunRecord, here: OnHost) -> Visit:
    """Say what each board is visited for."""
    recipe, built, fleet = order.recipe, order.built, order.fleet
    blobs, ledger, release = crew.encoder.blobs, crew.ledger, built.release
    golden = here.simulated or here.reference
    names = [board.name for board in fleet.boards]
    baselines = ledger.last_outcomes(names, recipe.name, started.run_id)
    return Visit(
        recipe=recipe,
        release=release,
        reference=here.reference,
        golden=golden[: recipe.smoke.images],
        agents=load_agents(),
        run_id=started.run_id,
        owner=owner_of(started.run_id),
        only_measure=order.only_measure,
        deadline_s=fleet.board_deadline_s,
        need=_need(recipe, release, blobs, baselines.values()),
        rollout=fleet.rollout,
        uids=ledger.board_uids(),
        loaded=tuple(ledger.compatibility(release.pulsar2_version)),
        ignore_learned=order.ignore_learned,
        baselines=baselines,
        measure=order.measure,
        dead=frozenset(owner_of(run_id) for run_id in order.dead),
        again=order.again,
        contend=order.contend,
        origin=origin_of(built),
    )


def _need(recipe: Recipe, release: Release, blobs: Blobs, before: Iterable[BoardOutcome]) -> Need:
    """Say what a release takes on a board, from its sidecar and from those who run it already."""
    with blobs.open(release.files["model.json"].sha256) as path:
        tensor_bytes, dtypes = need_of_sidecar(json.loads(path.read_text(encoding="utf-8")))
    return Need(
        cmm_bytes=cmm_of(release.release_id, before),
        tensor_bytes=tensor_bytes,
        dtypes=dtypes,
        task=recipe.checkpoint.task,
    )


def _relays(order: Order, crew: Crew, visit: Visit) -> AbstractContextManager[Relays | None]:
    """Give the relays of the fleet's sites; without `relay: true` there are none."""
    sites = {board.site for board in order.fleet.boards}
    relays = {s: b for s, b in relays_of(order.relays).items() if s in sites}
    if not relays or order.only_measure:
        return nullcontext()

    @contextmanager
    def open_agent(board: Board) -> Iterator[Agent]:
        with crew.connect(board) as transport:
            yield Agent(board, transport, visit.agents[0])

    cargo = Cargo(wanted(visit.release), manifest(visit.release))
    return Relays(relays, cargo, open_agent, visit.owner, crew.encoder, crew.progress)


def _finished(
    started: RunRecord, order: Order, visit: Visit, rolled: Rolled, aside: Aside
) -> RunRecord:
    """Judge the gates, and say in the run's summary how it went."""
    alike = quorums(rolled.outcomes, visit.release.pulsar2_version)
    summary = with_quorums(summarise_run(rolled.outcomes, visit.recipe.gates), alike)
    checked = order.built.checked
    sentence = summary.sentence
    if any(aside.relayed.values()):
        sentence += (
            f", {sum(aside.relayed.values()):,} bytes to {', '.join(aside.relayed)} as relay"
        )
    if aside.skipped:
        sentence += f"; in quarantine: {', '.join(aside.skipped)}"
    if rolled.waiting:
        sentence += f"; {rolled.ended}; not begun: {', '.join(rolled.waiting)}"
    failed = not rolled.outcomes or any(map(failed_beside, rolled.outcomes))
    return replace(
        started,
        finished_at=now(),
        exit_code=1 if rolled.stopped or failed else summary.exit_code,
        summary={
            **started.summary,
            **judged_summary(visit.release, summary, alike, aside.accuracy),
            "check": _kept(checked),
            "sentence": sentence,
            "not_begun": list(rolled.waiting),
            "quarantined": dict(aside.skipped),
            "relay_bytes": dict(aside.relayed),
            "ended": rolled.ended,
        },
    )


def _kept(checked: ActionRecord | None) -> Json:
    """Give what the report says of the check under `pulsar2 run`."""
    if checked is None:
        return None
    names = ("images", "agreement", "miou", "cosine", "outputs", "simulated")
    return {name: checked.facts[name] for name in names}
