"""`orch deploy`, `orch run`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.asked import ask, asked_of, repeat
from orchestrator.cli.contending import (
    AffinityOption,
    ContendOption,
    ContendWithOption,
    company,
)
from orchestrator.cli.fleet_work import work_on_fleet
from orchestrator.cli.options import (
    CalibrationOption,
    CheckpointOption,
    CoolToOption,
    DryRunOption,
    EngineOption,
    ExcludeOption,
    FleetOption,
    IgnoreLearnedOption,
    ImagesOption,
    InventoryOption,
    IterationsOption,
    Job,
    JsonOption,
    LimitOption,
    NoMeasureOption,
    PauseOption,
    RecipeOption,
    ResumeOption,
    ToolchainOption,
    UntilValidOption,
    open_ledger,
)
from orchestrator.overrides import Overrides

_FleetOption = Annotated[
    str | None, typer.Option("--fleet", "-f", help="Fleet from the inventory.")
]
#: What may be said anew of a run that goes on.
_BESIDE_RESUME = {"resume", "inventory", "engine", "pause", "json"}


def deploy(
    context: typer.Context,
    fleet: _FleetOption = None,
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    recipe: RecipeOption = None,
    toolchain: ToolchainOption = None,
    checkpoint: CheckpointOption = None,
    calibration: CalibrationOption = None,
    images: ImagesOption = None,
    iterations: IterationsOption = None,
    until_valid: UntilValidOption = None,
    cool_to: CoolToOption = None,
    engine: EngineOption = None,
    ignore_learned: IgnoreLearnedOption = False,
    no_measure: NoMeasureOption = False,
    pause: PauseOption = False,
    resume: ResumeOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Build what is new, bring it to every board of a fleet, measure it there."""
    if resume is not None:
        _refuse_beside_resume(context)
        _resume(resume, inventory, engine, pause=pause, json=json)
        return
    asked = replace(
        ask(fleet, recipe, toolchain, Overrides(checkpoint, calibration, images, iterations)),
        limit=limit,
        exclude=exclude,
        ignore_learned=ignore_learned,
        no_measure=no_measure,
        again=repeat(until_valid, cool_to),
    )
    job = asked.job(inventory)
    if dry_run:
        _plan(job, json=json, ignore_learned=ignore_learned)
    else:
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
    until_valid: UntilValidOption = None,
    cool_to: CoolToOption = None,
    contend: ContendOption = None,
    contend_with: ContendWithOption = None,
    affinity: AffinityOption = None,
    engine: EngineOption = None,
    json: JsonOption = False,
) -> None:
    """Measure what is deployed; copy and switch nothing on the boards."""
    asked = replace(
        ask(fleet, recipe, toolchain, Overrides(checkpoint, calibration, images, iterations)),
        limit=limit,
        exclude=exclude,
        again=repeat(until_valid, cool_to),
        contend=company(contend, contend_with, affinity),
    )
    job = asked.job(inventory)
    work_on_fleet(job, asked.new_run("run", job), engine, json=json)


def _plan(job: Job, *, json: bool, ignore_learned: bool) -> None:
    from orchestrator.cli.plan import print_plan

    print_plan(job, json=json, ask_boards=True, ignore_learned=ignore_learned)


def _refuse_beside_resume(context: typer.Context) -> None:
    """Raise ConfigError where something is asked for that the run has settled already."""
    from orchestrator.errors import ConfigError

    given = [
        name
        for name, value in context.params.items()
        if value not in (None, False) and name not in _BESIDE_RESUME
    ]
    if given:
        names = ", ".join("--" + name.replace("_", "-") for name in given)
        raise ConfigError(
            f"--resume takes everything from the run that goes on: {names} cannot be changed",
            "leave it out, or start a new run without --resume",
        )


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
