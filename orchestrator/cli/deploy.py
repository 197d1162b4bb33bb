"""`orch deploy`, `orch run`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.asked import ask, asked_of
from orchestrator.cli.fleet_work import work_on_fleet
from orchestrator.cli.options import (
    CalibrationOption,
    CheckpointOption,
    EngineOption,
    ExcludeOption,
    FleetOption,
    ImagesOption,
    InventoryOption,
    IterationsOption,
    JsonOption,
    LimitOption,
    RecipeOption,
    ToolchainOption,
    open_ledger,
)
from orchestrator.overrides import Overrides


def deploy(
    fleet: Annotated[
        str | None, typer.Option("--fleet", "-f", help="Fleet from the inventory.")
    ] = None,
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    recipe: RecipeOption = None,
    toolchain: ToolchainOption = None,
    checkpoint: CheckpointOption = None,
    calibration: CalibrationOption = None,
    images: ImagesOption = None,
    iterations: IterationsOption = None,
    engine: EngineOption = None,
    ignore_learned: Annotated[
        bool,
        typer.Option("--ignore-learned", help="Try what boards with this software have rejected."),
    ] = False,
    pause: Annotated[
        bool, typer.Option("--pause", help="End after the next wave; --resume goes on.")
    ] = False,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume", metavar="RUN", help="Go on with a run that was cut off or paused."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be done; touch nothing.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Build what is new, bring it to every board of a fleet, measure it there."""
    if resume is not None:
        _resume(resume, inventory, engine, pause=pause, json=json)
        return
    overrides = Overrides(checkpoint, calibration, images, iterations)
    asked = replace(
        ask(fleet, recipe, toolchain, overrides),
        limit=limit,
        exclude=exclude,
        ignore_learned=ignore_learned,
    )
    job = asked.job(inventory)
    if dry_run:
        from orchestrator.cli.plan import print_plan

        print_plan(job, json=json, ask_boards=True, ignore_learned=ignore_learned)
        return
    work_on_fleet(job, asked.new_run("deploy", job), engine, pause=pause, json=json)


def run(
    fleet: FleetOption,
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    recipe: RecipeOption = None,
    toolchain: ToolchainOption = None,
    checkpoint: CheckpointOption = None,
    calibration: CalibrationOption = None,
    images: ImagesOption = None,
    iterations: IterationsOption = None,
    engine: EngineOption = None,
    json: JsonOption = False,
) -> None:
    """Measure what is deployed; copy and switch nothing on the boards."""
    overrides = Overrides(checkpoint, calibration, images, iterations)
    asked = replace(ask(fleet, recipe, toolchain, overrides), limit=limit, exclude=exclude)
    job = asked.job(inventory)
    work_on_fleet(job, asked.new_run("run", job), engine, json=json)


def _resume(
    run_id: str, inventory: Path | None, engine: str | None, *, pause: bool, json: bool
) -> None:
    """Go on with a run: boards that are done are not visited again."""
    from orchestrator.errors import ConfigError
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    with open_ledger(place, keep=False) as ledger:
        found = ledger.run(run_id)
        newest = ", ".join(one.run_id for one in ledger.runs(3)) or "none yet: orch deploy"
    if found is None:
        raise ConfigError(f"the ledger has no run {run_id!r}", f"newest runs: {newest}")
    job = asked_of(found).job(inventory)
    work_on_fleet(job, found, engine, pause=pause, json=json)
