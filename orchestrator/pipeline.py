"""The second half of the job: what was built is deployed and run on every board, then reported.

The first half, export → optimize → compile, is `building.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from orchestrator.agent import Agent, AgentProgram, load_agent
from orchestrator.building import Built
from orchestrator.clock import now
from orchestrator.domain import (
    ActionRecord,
    Board,
    BoardOutcome,
    Delivery,
    Json,
    Recipe,
    Release,
    RunRecord,
)
from orchestrator.errors import AgentError, BoardError, DeadlineError, OrchError
from orchestrator.images import NamedImage
from orchestrator.release import evaluation_images
from orchestrator.replies import parse_probe
from orchestrator.seams import Blobs, Connect, Engine, Failed, Ledger, Progress
from orchestrator.segmentation import ClassMap, write_overlay
from orchestrator.stages.deploy import check_board, deploy
from orchestrator.stages.report import write_report
from orchestrator.stages.run import run
from orchestrator.table import summarise_run

#: How many evaluation images are drawn side by side for each board.
OVERLAYS = 3


@dataclass(frozen=True, slots=True)
class Crew:
    """What working on boards needs of the world."""

    connect: Connect
    engine: Engine
    blobs: Blobs
    ledger: Ledger
    progress: Progress
    reports: Path


@dataclass(frozen=True, slots=True)
class Visit:
    """What one board is visited for. With `only_measure`, nothing is copied or switched."""

    recipe: Recipe
    release: Release
    reference: tuple[ClassMap, ...]
    agent: AgentProgram
    run_id: str
    only_measure: bool
    checked: ActionRecord | None = None


@dataclass(frozen=True, slots=True)
class Visited:
    """What came back from a board: the outcome, and its class maps for the pictures."""

    outcome: BoardOutcome
    class_maps: tuple[ClassMap, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """A run with its outcomes, written down and reported."""

    run: RunRecord
    outcomes: tuple[BoardOutcome, ...]
    folder: Path


def deploy_fleet(
    recipe: Recipe,
    built: Built,
    boards: Sequence[Board],
    max_parallel: int,
    crew: Crew,
    started: RunRecord,
    *,
    only_measure: bool = False,
) -> Finished:
    """Deploy, run and report; a board that fails does not stop the others."""
    visit = Visit(
        recipe,
        built.release,
        load_reference(built, crew.blobs),
        load_agent(),
        started.run_id,
        only_measure,
        built.checked,
    )
    visited = _visit_all(visit, boards, max_parallel, crew)
    by_name = sorted(visited, key=lambda one: one.outcome.board)
    return _finish(started, visit, by_name, crew)


def load_reference(built: Built, blobs: Blobs) -> tuple[ClassMap, ...]:
    """Give the float model's class maps of the evaluation images."""
    with blobs.open(built.optimized.outputs["reference"].sha256) as path:
        return tuple(np.load(path, allow_pickle=False))


def _visit_all(
    visit: Visit, boards: Sequence[Board], max_parallel: int, crew: Crew
) -> list[Visited]:
    """Visit the boards and say of each how it went as soon as it is known."""
    work = partial(visit_board, visit=visit, connect=crew.connect, blobs=crew.blobs)
    visited: list[Visited] = []
    crew.progress.advance("boards", "visited", 0, len(boards))
    for result in crew.engine.map(work, boards, max_parallel):
        if isinstance(result, Failed):
            error = result.error
            crashed = BoardOutcome(result.item.name, result.item.simulated, {})
            hint = "this is a bug in orch: please report it"
            text = f"{result.item.name}: {type(error).__name__}: {error}"
            one = Visited(replace(crashed, error_code="INTERNAL", error=text, hint=hint))
        else:
            one = result.value
        crew.progress.event(one.outcome.board, _in_one_line(one.outcome))
        crew.ledger.record_outcome(visit.run_id, one.outcome)
        visited.append(one)
        crew.progress.advance("boards", "visited", len(visited), len(boards))
    return visited


def visit_board(board: Board, visit: Visit, connect: Connect, blobs: Blobs) -> Visited:
    """Deploy to one board and run there; a failure is an outcome that keeps what was learned."""
    outcome = BoardOutcome(board.name, board.simulated, {})
    try:
        with connect(board) as transport:
            agent = Agent(board, transport, visit.agent)
            step = _look if visit.only_measure else deploy
            delivery = step(agent, visit.release, blobs)
            simulated = delivery.facts.get("simulated") is True
            outcome = replace(outcome, facts=delivery.facts, simulated=simulated)
            outcome = replace(outcome, delivery=delivery)
            ran = run(agent, visit.recipe, visit.release, visit.reference, visit.run_id)
    except (BoardError, DeadlineError) as error:
        failed = replace(outcome, error_code=error.code, error=str(error), hint=error.hint)
        return Visited(failed)
    except OrchError as error:
        return Visited(replace(outcome, error_code="FAILED", error=str(error), hint=error.hint))
    outcome = replace(outcome, measurement=ran.measurement, judged=ran.judged)
    return Visited(replace(outcome, agreement=ran.agreement), ran.class_maps)


def _look(agent: Agent, release: Release, _: Blobs) -> Delivery:
    """Look whether the board has the release already. Raises AgentError, Refused."""
    name = agent.board.name
    wanted: list[str] = [item.sha256 for item in release.inputs]
    probe = parse_probe(name, agent.ask("probe", {"blobs": list(wanted)}))
    check_board(name, probe.facts, release)
    if probe.current != release.release_id or set(wanted) - set(probe.blobs):
        raise AgentError(
            f"{name}: it has release {probe.current or 'none'}, not {release.release_id}",
            "bring it there first: orch deploy",
            "NO_RELEASE",
        )
    return Delivery(release.release_id, 0, agent.uploaded, activated=False, facts=probe.facts)


def _finish(started: RunRecord, visit: Visit, visited: Sequence[Visited], crew: Crew) -> Finished:
    """Draw the pictures, judge the gates, write the report and the ledger."""
    folder = crew.reports / started.run_id
    images = evaluation_images(visit.recipe)[:OVERLAYS]
    outcomes = tuple(_with_overlays(one, visit, images, folder) for one in visited)
    for outcome in outcomes:
        crew.ledger.record_outcome(started.run_id, outcome)
    summary = summarise_run(outcomes, visit.recipe.gates)
    finished = replace(
        started,
        finished_at=now(),
        exit_code=summary.exit_code,
        summary={
            "target": str(visit.release.target),
            "pulsar2": visit.release.pulsar2_version,
            "release_id": visit.release.release_id,
            "simulated": visit.release.simulated,
            "check": _kept(visit.checked),
            "sentence": summary.sentence,
            "failed_boards": list(summary.failed_boards),
            "failed_gates": list(summary.failed_gates),
        },
    )
    write_report(finished, outcomes, folder)
    return Finished(finished, outcomes, folder)


def _kept(checked: ActionRecord | None) -> Json:
    """Give what the report says of the check under `pulsar2 run`."""
    if checked is None:
        return None
    names = ("images", "agreement", "miou", "cosine", "outputs", "simulated")
    return {name: checked.facts[name] for name in names}


def _with_overlays(
    one: Visited, visit: Visit, images: Sequence[NamedImage], folder: Path
) -> BoardOutcome:
    if not one.class_maps:
        return one.outcome
    board = one.outcome.board
    paths = []
    trios = zip(images, visit.reference, one.class_maps, strict=False)
    for number, (image, reference, found) in enumerate(trios, start=1):
        path = folder / "overlays" / board / f"{number:02d}-{image.name}.png"
        share = float((reference == found).mean())
        captions = (image.name, "float ONNX", board, f"differs: {1 - share:.2%}")
        write_overlay(path, image.pixels, reference, found, visit.recipe.palette, captions)
        paths.append(str(path.relative_to(folder)))
    return replace(one.outcome, overlays=tuple(paths))


def _in_one_line(outcome: BoardOutcome) -> str:
    if outcome.error:
        return f"failed: {outcome.error}" + (f" ({outcome.hint})" if outcome.hint else "")
    delivery, agreed = outcome.delivery, outcome.agreement
    parts = []
    if delivery is not None:
        sent = delivery.uploaded_bytes
        parts.append(f"{sent:,} bytes uploaded" if sent else "0 bytes uploaded, nothing is new")
    if agreed is not None:
        parts.append(f"agreement {agreed.pixel_agreement:.2%} on {agreed.images} images")
    return ", ".join(parts) or "looked at"
