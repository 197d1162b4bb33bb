"""`orch why STAGE`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from orchestrator.cache import Explanation


class CachedStage(StrEnum):
    """A stage whose results are kept."""

    EXPORT = "export"
    OPTIMIZE = "optimize"
    COMPILE = "compile"
    CHECK = "check"


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
    from orchestrator.explain import explain_stages
    from orchestrator.wiring import make_toolchain

    job = open_job(inventory, fleet, recipe, toolchain, Overrides(checkpoint, calibration, images))
    sources = find_sources(job.recipe, make_toolchain(job.toolchain, job.place.home))
    with open_ledger(job.place, keep=False) as ledger:
        cache = Cache(ledger, job.place.blobs(), job.place.home / "work")
        explained = explain_stages(job.recipe, sources, cache)
    found = next((one for one in explained if one.stage == stage), None)
    _print_why(stage, found, explained[-1], json=json)


def _print_why(
    stage: CachedStage, found: Explanation | None, blocking: Explanation, *, json: bool
) -> None:
    """Print the explanation of a stage, or of the one that has to run before it."""
    from orchestrator.cli.console import out, print_json, print_table
    from orchestrator.explain import detailed, in_words

    asked = found or blocking
    changed = detailed(asked.changed)
    if json:
        print_json(
            {
                "stage": stage.value,
                "hit": asked.hit if found else False,
                "key": asked.key if found else None,
                "because_of": asked.stage,
                "changed": {name: list(pair) for name, pair in changed.items()},
            }
        )
        return
    console = out()
    if found is None:
        console.print(f"{stage.value}: miss, because {blocking.stage} has to run first")
    console.print(f"{asked.stage}: {in_words(asked)}", markup=False, soft_wrap=True)
    if changed:
        rows = [(name, before or "-", now or "-") for name, (before, now) in changed.items()]
        print_table("", ("field", "last run", "now"), rows, console=console)
