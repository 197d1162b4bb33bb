"""`orch tune RECIPE`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import (
    CalibrationOption,
    CheckpointOption,
    FleetOption,
    ImagesOption,
    InventoryOption,
    JsonOption,
    ToolchainOption,
    open_job,
    open_ledger,
)
from orchestrator.cli.runs import ended, new_run, recorded
from orchestrator.overrides import Overrides

if TYPE_CHECKING:
    from orchestrator.cli.options import Job
    from orchestrator.tuning import Grid, Tried

HEADER = (
    *("#", "npu_mode", "method", "smooth quant", "U16 layers"),
    *("agreement", "mIoU", "bytes", "cycles", "best"),
)


class Method(StrEnum):
    """A way to find the range of an activation."""

    MINMAX = "MinMax"
    PERCENTILE = "Percentile"
    MSE = "MSE"
    KL = "KL"


_ModesOption = Annotated[
    list[str] | None, typer.Option("--npu-mode", help="May be repeated; default: the recipe's.")
]
_MethodsOption = Annotated[
    list[Method] | None,
    typer.Option("--method", help="May be repeated; default: MinMax, Percentile."),
]
_SmoothQuantOption = Annotated[
    bool, typer.Option("--smooth-quant/--no-smooth-quant", help="Also try smooth quant.")
]
_U16Option = Annotated[
    list[int] | None,
    typer.Option("--u16", min=0, help="How many of the worst layers get 16 bits; default: 0, 5."),
]
_ApplyOption = Annotated[
    int | None, typer.Option("--apply", min=1, help="Write the recipe with this row's choice.")
]
_OutputOption = Annotated[
    Path | None,
    typer.Option("--output", help="Where --apply writes; default: the recipe's own file."),
]


def tune(
    recipe: Annotated[str, typer.Argument(help="Shipped recipe or a .yaml file.")],
    fleet: FleetOption = "sim",
    inventory: InventoryOption = None,
    toolchain: ToolchainOption = None,
    checkpoint: CheckpointOption = None,
    calibration: CalibrationOption = None,
    images: ImagesOption = None,
    npu_mode: _ModesOption = None,
    method: _MethodsOption = None,
    smooth_quant: _SmoothQuantOption = True,
    u16: _U16Option = None,
    apply: _ApplyOption = None,
    output: _OutputOption = None,
    json: JsonOption = False,
) -> None:
    """Build a small grid of quantizations, check each, and show which are best."""
    from orchestrator.domain import Target
    from orchestrator.errors import ConfigError
    from orchestrator.pulsar2.targets import check_target
    from orchestrator.tuning import Grid

    job = open_job(inventory, fleet, recipe, toolchain, Overrides(checkpoint, calibration, images))
    grid = Grid(
        npu_modes=tuple(npu_mode or (job.recipe.compile.target.npu_mode,)),
        calibration_methods=tuple(str(one) for one in method or (Method.MINMAX, Method.PERCENTILE)),
        smooth_quant=(False, True) if smooth_quant else (False,),
        u16_layers=tuple(u16 or (0, 5)),
    )
    for mode in grid.npu_modes:
        check_target(Target(job.recipe.compile.target.hardware, mode))
    target = _where_to_write(recipe, output) if apply is not None else None
    if apply is not None and apply > len(grid.points()):
        raise ConfigError(f"--apply {apply}: the grid has {len(grid.points())} rows")
    rows = _try_all(job, grid)
    _print(job.recipe.name, rows, json=json)
    if target is not None and apply is not None:
        _write(recipe, rows[apply - 1], target)


def _try_all(job: Job, grid: Grid) -> list[Tried]:
    """Try every point, say how each went, and mark the best."""
    from orchestrator.cli.console import progress
    from orchestrator.tuning import mark_best
    from orchestrator.tuning import tune as try_points
    from orchestrator.wiring import make_workshop

    started = new_run("tune", job.fleet.name, job.recipe.name)
    tried: list[Tried] = []
    with (
        open_ledger(job.place) as ledger,
        progress() as shown,
        recorded(ledger, started) as ending,
    ):
        shop = make_workshop(job.place, ledger, job.toolchain, shown)
        for one in try_points(job.recipe, grid, shop, started.run_id):
            tried.append(one)
            shown.event("tune", f"{len(tried)} of {len(grid.points())}: {_in_words(one)}")
        ending.run = ended(started, 0)
    return mark_best(tried)


def _where_to_write(recipe: str, output: Path | None) -> Path:
    """Give the file that --apply writes. Raises ConfigError before anything is built."""
    from orchestrator.errors import ConfigError

    if output is not None:
        if output.suffix not in {".yaml", ".yml"}:
            raise ConfigError(f"--output {output}: a recipe is a .yaml file")
        return output
    if Path(recipe).suffix not in {".yaml", ".yml"}:
        raise ConfigError(
            f"{recipe} is a recipe that comes with orch: --apply does not change it",
            "name a file of your own: --output my-recipe.yaml",
        )
    return Path(recipe)


def _in_words(one: Tried) -> str:
    point = one.point
    name = f"{point.npu_mode} {point.calibration_method}"
    name += ", smooth quant" if point.smooth_quant else ""
    name += f", U16 on the {point.u16_layers} worst layers" if point.u16_layers else ""
    if one.agreement is None:
        return f"{name}: failed: {one.error}"
    return f"{name}: agreement {one.agreement:.2%}"


def _print(recipe: str, rows: list[Tried], *, json: bool) -> None:
    from orchestrator.cli.console import out, print_json, print_table
    from orchestrator.hashing import as_json

    if json:
        print_json({"recipe": recipe, "rows": as_json(rows)})
        return
    console = out()
    cells = [_cells(number, one) for number, one in enumerate(rows, start=1)]
    print_table(f"Quantizations of {recipe}", HEADER, cells, console=console)
    for number, one in enumerate(rows, start=1):
        if one.error:
            console.print(f"failed  {number}: {one.error}", markup=False, soft_wrap=True)
    console.print("agreement and mIoU are against the float model, under pulsar2 run on this host")
    console.print("write a row into a recipe: the same command with --apply ROW")


def _cells(number: int, one: Tried) -> tuple[str, ...]:
    point = one.point
    figures = (
        "failed" if one.agreement is None else f"{one.agreement:.2%}",
        "-" if one.miou is None else f"{one.miou:.3f}",
        "-" if one.size_bytes is None else f"{one.size_bytes:,}",
        "-" if one.max_cycle is None else f"{one.max_cycle:,}",
        "*" if one.best else "",
    )
    smooth = "on" if point.smooth_quant else "off"
    return (
        *(str(number), point.npu_mode, point.calibration_method, smooth, str(point.u16_layers)),
        *figures,
    )


def _write(recipe: str, one: Tried, target: Path) -> None:
    from orchestrator.cli.console import err
    from orchestrator.errors import ConfigError
    from orchestrator.recipe import recipe_path
    from orchestrator.recipe_edit import write_choice

    if one.agreement is None:
        raise ConfigError("--apply: this row failed", "choose one that has figures")
    point = one.point
    source = recipe_path(recipe)
    write_choice(source, target, point.npu_mode, point.calibration_method, one.keys)
    err().print(f"wrote {target}", markup=False)
