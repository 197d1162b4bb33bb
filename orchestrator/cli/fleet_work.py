"""Build, work on a fleet, print its table: what `orch deploy` and `orch run` share."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import typer

from orchestrator.cli.asked import asked_of
from orchestrator.cli.contending import found_company
from orchestrator.cli.options import Job, open_ledger
from orchestrator.cli.runs import continued, dead_runs, recorded

if TYPE_CHECKING:
    from orchestrator.backends.sql_ledger import SqlLedger
    from orchestrator.building import Built
    from orchestrator.domain import RunRecord
    from orchestrator.pipeline import Finished, Order
    from orchestrator.seams import Progress


def work_on_fleet(
    job: Job, run: RunRecord, engine: str | None, *, pause: bool = False, json: bool
) -> None:
    """Do the job, print its table, and end with its exit code."""
    from orchestrator.cli.console import progress
    from orchestrator.cli.report import print_report
    from orchestrator.locks import hold

    with open_ledger(job.place) as ledger, progress() as shown:
        waiting = partial(shown.event, "run", f"{run.run_id} is at work in another orch; waiting")
        locks = job.place.home / "runs"
        with hold(locks / f"{run.run_id}.lock", waiting), dead_runs(ledger, locks) as dead:
            try:
                finished = _finish(job, run, ledger, shown, engine, dead, pause=pause)
            except KeyboardInterrupt:
                shown.event("run", f"interrupted; to go on: orch deploy --resume {run.run_id}")
                raise
        if finished.run.summary.get("not_begun"):
            shown.event("run", f"to go on: orch deploy --resume {run.run_id}")
    print_report(finished.run, finished.outcomes, finished.folder, json=json)
    raise typer.Exit(finished.run.exit_code or 0)


def _finish(
    job: Job,
    run: RunRecord,
    ledger: SqlLedger,
    shown: Progress,
    engine: str | None,
    dead: tuple[str, ...],
    *,
    pause: bool,
) -> Finished:
    """Build, and go through the fleet; a run that the ledger has already goes on."""
    from orchestrator.building import build as build_recipe
    from orchestrator.cli.secrets import ask_for_secrets
    from orchestrator.evaluation import check_masks
    from orchestrator.pipeline import deploy_fleet
    from orchestrator.simulation import simulated
    from orchestrator.wiring import make_crew, make_workshop

    place, asked = job.place, asked_of(run)
    shop = make_workshop(place, ledger, job.toolchain, shown)
    crew = make_crew(place, ledger, engine, shown, ask_for_secrets(job.fleet.boards))
    with recorded(ledger, run) as ending:
        contend = found_company(asked.contend, ledger)
        if not asked.no_measure:
            check_masks(job.recipe)
        built = build_recipe(job.recipe, shop, run.run_id)
        done = continued(ledger, run, built.release.release_id)
        with simulated(place.simulation, job.fleet.boards, shown) as boards:
            order = _order(replace(job, fleet=replace(job.fleet, boards=boards)), run, built)
            order = replace(order, contend=contend, done=done, dead=dead, pause=pause)
            finished = deploy_fleet(order, crew, run)
        ending.run = finished.run
    return finished


def _order(job: Job, run: RunRecord, built: Built) -> Order:
    """Give what the run was asked for, as it stands in the ledger."""
    from orchestrator.pipeline import Order

    asked = asked_of(run)
    return Order(
        job.recipe,
        built,
        job.fleet,
        only_measure=run.command == "run",
        measure=not asked.no_measure,
        ignore_learned=asked.ignore_learned,
        again=asked.again,
        relays=tuple(one for one in job.place.inventory.boards.values() if one.relay),
    )
