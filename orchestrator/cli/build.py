"""`orch build`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import (
    CalibrationOption,
    CheckpointOption,
    DryRunOption,
    FleetOption,
    ImagesOption,
    InventoryOption,
    Job,
    JsonOption,
    RecipeOption,
    ToolchainOption,
    open_job,
    open_ledger,
)
from orchestrator.cli.runs import ended, new_run, recorded
from orchestrator.overrides import Overrides

if TYPE_CHECKING:
    from orchestrator.building import Built
    from orchestrator.domain import Json
    from orchestrator.pulsar2.config.file import ConfigText

_ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="A Pulsar2 build config, over the recipe's or with --onnx."),
]
_OnnxOption = Annotated[
    Path | None,
    typer.Option("--onnx", help="Build this file by --config alone; no recipe, no board."),
]
_OutputOption = Annotated[
    Path | None, typer.Option("--output", help="With --onnx: copy the axmodel there.")
]


def build(
    fleet: FleetOption = "sim",
    inventory: InventoryOption = None,
    recipe: RecipeOption = None,
    toolchain: ToolchainOption = None,
    checkpoint: CheckpointOption = None,
    calibration: CalibrationOption = None,
    images: ImagesOption = None,
    config: _ConfigOption = None,
    onnx: _OnnxOption = None,
    output: _OutputOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Export, optimize and compile what is new; touch no board."""
    text = _read_config(config, onnx)
    by_file = onnx is not None or (recipe is None and text is not None and text.data.get("input"))
    if config is not None and by_file:
        from orchestrator.cli.build_file import Asked, build_file, refuse_recipe_options

        refuse_recipe_options(recipe, checkpoint, calibration, images)
        asked = Asked(inventory, fleet, toolchain, config, onnx, output)
        build_file(asked, dry_run=dry_run, json=json)
        return
    if output is not None:
        from orchestrator.errors import ConfigError

        raise ConfigError("--output goes with --onnx", "a recipe's axmodel is among the artifacts")
    job = open_job(inventory, fleet, recipe, toolchain, Overrides(checkpoint, calibration, images))
    if text is not None:
        job = _with_config(job, text)
    if dry_run:
        from orchestrator.cli.plan import print_plan

        print_plan(job, json=json)
        return
    _build_recipe(job, json=json)


def _read_config(config: Path | None, onnx: Path | None) -> ConfigText | None:
    """Read the build config, if one is named. Raises ConfigError."""
    from orchestrator.errors import ConfigError
    from orchestrator.pulsar2.config.file import read_config

    if config is not None:
        return read_config(config)
    if onnx is not None:
        raise ConfigError("--onnx goes with --config", "name the build config")
    return None


def _with_config(job: Job, text: ConfigText) -> Job:
    """Put a build config over the job's recipe, and say what was left out of it."""
    from orchestrator.cli.console import progress
    from orchestrator.pulsar2.config.overlay import overlay
    from orchestrator.wiring import make_toolchain

    with progress() as shown:
        version = make_toolchain(job.toolchain, job.place.home).identity().version
        recipe, notes = overlay(job.recipe, text, version)
        for note in notes:
            shown.event("compile", note)
    return replace(job, recipe=recipe)


def _build_recipe(job: Job, *, json: bool) -> None:
    from orchestrator.building import build as build_recipe
    from orchestrator.cli.console import progress
    from orchestrator.wiring import make_workshop

    started = new_run("build", job.fleet.name, job.recipe.name)
    with open_ledger(job.place) as ledger, progress() as shown:
        shop = make_workshop(job.place, ledger, job.toolchain, shown)
        with recorded(ledger, started) as ending:
            built = build_recipe(job.recipe, shop, started.run_id)
            ending.run = ended(started, 0)
    _print_built(job, built, started.run_id, json=json)


def _print_built(job: Job, built: Built, run_id: str, *, json: bool) -> None:
    """Print what there is to deploy now, and how each stage came by it."""
    from orchestrator.cli.console import out, print_json, print_table

    release = built.release
    if json:
        stages: dict[str, Json] = {
            action.stage: {
                "key": action.key,
                "cached": built.hits[action.stage],
                "seconds": action.seconds,
                "facts": dict(action.facts),
                "outputs": {role: item.sha256 for role, item in action.outputs.items()},
            }
            for action in built.actions
        }
        print_json({"run_id": run_id, "release_id": release.release_id, "stages": stages})
        return
    folder = job.place.blobs_url
    rows = [
        (
            name,
            item.sha256[:12],
            f"{item.size_bytes:,}",
            f"{folder}/{item.sha256[:2]}/{item.sha256}",
        )
        for name, item in release.files.items()
    ]
    header = ("file", "sha256", "bytes", "path")
    print_table(f"Release {release.release_id}", header, rows, console=out())
