"""What a night begins with: its recipes built, its runs named and written down."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.backends.sql_ledger import SqlLedger
    from orchestrator.cli.options import Job
    from orchestrator.domain import Json, Night
    from orchestrator.nights.asking import AskedNight
    from orchestrator.nights.order import Part
    from orchestrator.seams import Progress


def build_parts(
    jobs: list[Job], night_id: str, ledger: SqlLedger, shown: Progress
) -> tuple[Part, ...]:
    """Build what is new of each recipe, and name its run."""
    from orchestrator.building import build
    from orchestrator.cli.runs import new_run
    from orchestrator.evaluation import check_masks
    from orchestrator.nights.order import Part
    from orchestrator.wiring import make_workshop

    found: list[Part] = []
    for number, job in enumerate(jobs, start=1):
        check_masks(job.recipe)
        shop = make_workshop(job.place, ledger, job.toolchain, shown)
        run_id = f"{night_id}-{number}"
        built = build(job.recipe, shop, run_id)
        run = ledger.run(run_id)
        if run is None:
            begun = new_run("verify", job.fleet.name, job.recipe.name)
            # All of a night begins at once: what was before one of its runs was before the night.
            at = found[0].run.started_at if found else begun.started_at
            summary: dict[str, Json] = {"night": night_id, "pulsar2": built.release.pulsar2_version}
            run = replace(begun, run_id=run_id, started_at=at, summary=summary)
        found.append(Part(job.recipe, built, run))
    return tuple(found)


def begin_night(
    asked: AskedNight, night_id: str, parts: tuple[Part, ...], ledger: SqlLedger
) -> Night:
    """Write down that a night and its runs have begun."""
    from orchestrator.domain import Night

    runs = {part.recipe.name: part.run.run_id for part in parts}
    started = parts[0].run.started_at
    night = Night(night_id, asked.fleet, started, runs=runs, asked=asked.kept())
    ledger.start_night(night)
    for part in parts:
        ledger.start_run(part.run)
    return night
