"""Options that several commands share, and what they open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from orchestrator.backends.sql_ledger import SqlLedger
    from orchestrator.domain import Board, Fleet, Recipe, ToolchainSpec
    from orchestrator.fleet.errands import Courier
    from orchestrator.overrides import Overrides
    from orchestrator.seams import Progress
    from orchestrator.wiring import Workplace

InventoryOption = Annotated[
    Path | None,
    typer.Option("--inventory", "-i", help="Inventory file; default: ./inventory.yaml."),
]
FleetOption = Annotated[str, typer.Option("--fleet", "-f", help="Fleet from the inventory.")]
RecipeOption = Annotated[
    str | None,
    typer.Option("--recipe", "-r", help="Shipped recipe or a .yaml file; default: the fleet's."),
]
ToolchainOption = Annotated[
    str | None,
    typer.Option("--toolchain", help="Toolchain from the inventory; default: the fleet's."),
]
CheckpointOption = Annotated[
    Path | None,
    typer.Option("--checkpoint", help="Local checkpoint folder, in place of the recipe's."),
]
CalibrationOption = Annotated[
    Path | None, typer.Option("--calibration", help="Folder of images for quantization.")
]
ImagesOption = Annotated[
    Path | None, typer.Option("--images", help="Folder of images to judge the boards by.")
]
IterationsOption = Annotated[
    int | None, typer.Option("--iterations", min=1, help="Timed inferences per board.")
]
UntilValidOption = Annotated[
    int | None,
    typer.Option(
        "--until-valid",
        metavar="N",
        min=1,
        max=20,
        help="Measure a board again, up to N times, until its verdict is VALID.",
    ),
]
CoolToOption = Annotated[
    float | None,
    typer.Option(
        "--cool-to",
        metavar="CELSIUS",
        min=0,
        max=120,
        help="Before that, wait until the board is as cold.",
    ),
]
EngineOption = Annotated[
    str | None, typer.Option("--engine", help="Dask scheduler, tcp://host:8786; default: threads.")
]
LimitOption = Annotated[
    str | None,
    typer.Option(
        "--limit",
        metavar="EXPRESSION",
        help="Only these boards: 'site=fra and npu3 and not ax650-07'.",
    ),
]
ExcludeOption = Annotated[
    str | None,
    typer.Option("--exclude", metavar="EXPRESSION", help="Not these boards; as --limit."),
]
IgnoreLearnedOption = Annotated[
    bool, typer.Option("--ignore-learned", help="Try what boards with this software have rejected.")
]
NoMeasureOption = Annotated[
    bool, typer.Option("--no-measure", help="Bring the release; measure nothing.")
]
PauseOption = Annotated[
    bool, typer.Option("--pause", help="End after the next wave; --resume goes on.")
]
ResumeOption = Annotated[
    str | None,
    typer.Option("--resume", metavar="RUN", help="Go on with a run that was cut off or paused."),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be done; touch nothing.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@dataclass(frozen=True, slots=True)
class Job:
    """What was asked for, checked as far as it can be without doing it."""

    place: Workplace
    fleet: Fleet
    recipe: Recipe
    toolchain: ToolchainSpec


def open_job(
    inventory: Path | None,
    fleet_name: str,
    recipe_name: str | None,
    toolchain_name: str | None,
    overrides: Overrides,
) -> Job:
    """Read inventory and recipe. Raises ConfigError."""
    from orchestrator.errors import ConfigError
    from orchestrator.overrides import with_overrides
    from orchestrator.recipe import load_recipe
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    fleet = place.inventory.fleet(fleet_name)
    named = recipe_name or fleet.recipe
    if named is None:
        raise ConfigError(
            f"{place.inventory.path}: fleet {fleet.name!r} has no recipe",
            "name one with --recipe, or in the inventory: fleets.*.recipe",
        )
    recipe = with_overrides(load_recipe(named), overrides)
    toolchain = place.inventory.toolchain(toolchain_name or fleet.toolchain)
    return Job(place, fleet, recipe, toolchain)


def open_fleet_job(
    inventory: Path | None,
    fleet: str,
    recipe: str | None,
    toolchain: str | None,
    overrides: Overrides,
    limit: str | None,
    exclude: str | None,
) -> Job:
    """Give a job as `open_job` does, with the boards that are to be used. Raises ConfigError."""
    job = open_job(inventory, fleet, recipe, toolchain, overrides)
    return replace(job, fleet=job.place.inventory.chosen(job.fleet, limit, exclude))


def select_boards(place: Workplace, fleet: str, limit: str | None, exclude: str | None) -> Fleet:
    """Give a fleet with the boards that are to be used. Raises ConfigError."""
    return place.inventory.chosen(place.inventory.fleet(fleet), limit, exclude)


@contextmanager
def open_ledger(place: Workplace, *, keep: bool = True) -> Iterator[SqlLedger]:
    """Open the ledger; with `keep=False` one that does not exist yet is not made."""
    from orchestrator.backends.sql_ledger import SqlLedger
    from orchestrator.locks import present

    ours = "ORCH_LEDGER" not in os.environ
    absent = ours and not keep and not (place.home / "orch.db").exists()
    ledger = SqlLedger("sqlite://") if absent else place.ledger()
    try:
        # Who may write is at work: what it uses is not thrown away meanwhile.
        with present(place.home / "work") if keep else nullcontext():
            yield ledger
    finally:
        ledger.close()


@contextmanager
def couriers(
    place: Workplace, fleet: Fleet, shown: Progress, *, guest: bool = False
) -> Iterator[tuple[Courier, tuple[Board, ...]]]:
    """Give what runs errands on a fleet, and its boards; simulated ones are up meanwhile."""
    from orchestrator.cli.secrets import ask_for_secrets
    from orchestrator.fleet.errands import Courier
    from orchestrator.simulation import simulated
    from orchestrator.wiring import make_connect, make_engine

    connect = make_connect(place, ask_for_secrets(fleet.boards))
    with simulated(place.simulation, fleet.boards, shown) as boards:
        yield Courier(connect, make_engine(None), shown, guest), boards
