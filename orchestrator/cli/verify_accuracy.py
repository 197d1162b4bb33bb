"""`orch verify-accuracy`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import (
    CheckpointOption,
    ExcludeOption,
    FleetOption,
    InventoryOption,
    Job,
    JsonOption,
    LimitOption,
    RecipeOption,
    ToolchainOption,
    couriers,
    open_fleet_job,
    open_ledger,
)
from orchestrator.cli.runs import new_run, recorded
from orchestrator.overrides import Overrides

if TYPE_CHECKING:
    from orchestrator.backends.sql_ledger import SqlLedger
    from orchestrator.domain import BoardOutcome, Recipe, RunRecord
    from orchestrator.seams import Progress

_ImagesOption = Annotated[
    Path | None, typer.Option("--images", help="Folder of images; all of them, unless --size.")
]
_MasksOption = Annotated[
    Path | None,
    typer.Option("--masks", help="Folder of class-id PNGs, each named as its image."),
]
_SizeOption = Annotated[
    int | None, typer.Option("--size", min=1, help="How many of the evaluation images are used.")
]
_CheckImagesOption = Annotated[
    int | None,
    typer.Option(
        "--check-images",
        min=0,
        help="How many of them `pulsar2 run` sees; default: the recipe's check.images.",
    ),
]
#: More images than a folder has.
_ALL = 1_000_000


def verify_accuracy(
    fleet: FleetOption,
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    recipe: RecipeOption = None,
    toolchain: ToolchainOption = None,
    checkpoint: CheckpointOption = None,
    images: _ImagesOption = None,
    masks: _MasksOption = None,
    size: _SizeOption = None,
    check_images: _CheckImagesOption = None,
    json: JsonOption = False,
) -> None:
    """Judge the deployed release on an evaluation set; time and switch nothing."""
    overrides = Overrides(checkpoint, images=images, masks=masks)
    job = open_fleet_job(inventory, fleet, recipe, toolchain, overrides, limit, exclude)
    asked = _asked(job.recipe, size or (_ALL if images is not None else None), check_images)
    _verify(replace(job, recipe=asked), json=json)


def _asked(recipe: Recipe, size: int | None, check_images: int | None) -> Recipe:
    """Give the recipe with as many images as are wanted."""
    if size is not None:
        recipe = replace(recipe, evaluation=replace(recipe.evaluation, count=size))
    if check_images is not None:
        recipe = replace(recipe, check=replace(recipe.check, images=check_images))
    return recipe


def _verify(job: Job, *, json: bool) -> None:
    from orchestrator.cli.console import progress
    from orchestrator.cli.report import print_report
    from orchestrator.evaluation import check_masks
    from orchestrator.stages.report import write_report

    run = new_run("verify-accuracy", job.fleet.name, job.recipe.name)
    with open_ledger(job.place) as ledger, progress() as shown:
        if count := check_masks(job.recipe):
            shown.event("masks", f"{count} masks are sound")
        with recorded(ledger, run) as ending:
            ended, outcomes = _examine(job, run, ledger, shown)
            for one in outcomes:
                ledger.record_outcome(run.run_id, one)
            ending.run = ended
        folder = job.place.home / "reports" / run.run_id
        write_report(ended, outcomes, folder)
    print_report(ended, outcomes, folder, json=json)
    raise typer.Exit(ended.exit_code or 0)


def _examine(
    job: Job, run: RunRecord, ledger: SqlLedger, shown: Progress
) -> tuple[RunRecord, list[BoardOutcome]]:
    """Build what is new, have every board answer, and judge it."""
    from orchestrator.building import build
    from orchestrator.fleet.comparing import on_host
    from orchestrator.fleet.errands import run_errands
    from orchestrator.fleet.verifying import (
        Examination,
        conclude,
        examine,
        in_words,
        outcome_of,
    )
    from orchestrator.leases import owner_of
    from orchestrator.wiring import make_encoder, make_workshop

    shop = make_workshop(job.place, ledger, job.toolchain, shown)
    built = build(job.recipe, shop, run.run_id)
    here = on_host(job.recipe, built, shop.blobs)
    asked = Examination(
        job.recipe,
        built.release,
        here.reference,
        run.run_id,
        owner_of(run.run_id),
        job.fleet.board_deadline_s,
    )
    encoder = make_encoder(job.place)
    with couriers(job.place, job.fleet, shown) as (courier, boards):
        errand = partial(examine, asked=asked, encoder=encoder)
        answers = run_errands(boards, job.fleet.caps, courier, errand, in_words)
    outcomes = [outcome_of(one, here.truth) for one in answers]
    return conclude(run, asked, outcomes, here.kept), outcomes
