"""`orch why STAGE`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from orchestrator.cli.options import (
    CalibrationOption,
    CheckpointOption,
    FleetOption,
    ImagesOption,
    InventoryOption,
    JsonOption,
    RecipeOption,
    ToolchainOption,
    open_job,
    open_ledger,
)
from orchestrator.overrides import Overrides


class CachedStage(StrEnum):
    """A stage whose results are kept."""

    EXPORT = "export"
    OPTIMIZE = "optimize"
    COMPILE = "compile"


def why(
    stage: Annotated[CachedStage, typer.Argument(help="The stage to explain.")],
    fleet: FleetOption = "sim",
    inventory: InventoryOption = None,
    recipe: RecipeOption = None,
    toolchain: ToolchainOption = None,
    checkpoint: CheckpointOption = None,
    calibration: CalibrationOption = None,
    images: ImagesOption = None,
    json: JsonOption = False,
) -> None:
    """Say whether a stage would be a cache hit, and which fields differ from its last run."""
    from orchestrator.building import find_sources
    from orchestrator.cache import Cache
    from orchestrator.cli.console import out, print_json, print_table
    from orchestrator.explain import explain_stages, in_words
    from orchestrator.wiring import make_toolchain

    job = open_job(inventory, fleet, recipe, toolchain, Overrides(checkpoint, calibration, images))
    sources = find_sources(job.recipe, make_toolchain(job.toolchain))
    with open_ledger(job.place, keep=False) as ledger:
        cache = Cache(ledger, job.place.blobs(), job.place.home / "work")
        explained = explain_stages(job.recipe, sources, cache)
    found = next((one for one in explained if one.stage == stage), None)
    blocking = explained[-1]
    if json:
        asked = found or blocking
        print_json(
            {
                "stage": stage.value,
                "hit": found.hit if found else False,
                "key": found.key if found else None,
                "because_of": asked.stage,
                "changed": {name: list(pair) for name, pair in asked.changed.items()},
            }
        )
        return
    console = out()
    if found is None:
        console.print(f"{stage.value}: miss, because {blocking.stage} has to run first")
        found = blocking
    console.print(f"{found.stage}: {in_words(found)}", markup=False, soft_wrap=True)
    if found.changed:
        rows = [(name, before or "-", now or "-") for name, (before, now) in found.changed.items()]
        print_table("", ("field", "last run", "now"), rows, console=console)
