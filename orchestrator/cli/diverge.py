"""`orch diverge`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.examine import end, examine
from orchestrator.cli.options import (
    CalibrationOption,
    CheckpointOption,
    ExcludeOption,
    FleetOption,
    ImagesOption,
    InventoryOption,
    JsonOption,
    LimitOption,
    RecipeOption,
    ToolchainOption,
    open_fleet_job,
)
from orchestrator.overrides import Overrides

if TYPE_CHECKING:
    from orchestrator.divergence import TensorDifference
    from orchestrator.domain import Json, Recipe
    from orchestrator.examining import Layers
    from orchestrator.fleet.errands import Answer
    from orchestrator.simulating import Tensors

    Differences = tuple[TensorDifference, ...]

#: So many tensors are looked at where nobody says how many.
_LAYERS = 12
HEADER = ("tensor", "pulsar2 run to float", "board to pulsar2 run", "max abs error", "values up to")

_LayersOption = Annotated[
    str | None,
    typer.Option(
        "--layers",
        metavar="N",
        help="How many tensors, or their names with commas; default: the recipe's, else 12.",
    ),
]
_MinAlikeOption = Annotated[
    float, typer.Option("--min-alike", min=0, max=1, help="A tensor less alike has diverged.")
]


def diverge(
    fleet: FleetOption,
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    recipe: RecipeOption = None,
    toolchain: ToolchainOption = None,
    checkpoint: CheckpointOption = None,
    calibration: CalibrationOption = None,
    images: ImagesOption = None,
    layers: _LayersOption = None,
    min_alike: _MinAlikeOption = 0.999,
    json: JsonOption = False,
) -> None:
    """Compare boards with pulsar2 run tensor by tensor, and name the first that differs."""
    from orchestrator.divergence import first_apart
    from orchestrator.examining import layers_of, look_at_layers

    over = Overrides(checkpoint, calibration, images)
    job = open_fleet_job(inventory, fleet, recipe, toolchain, over, limit, exclude)
    job = replace(job, recipe=layers_of(job.recipe, _wanted(layers, job.recipe)))

    def judge(looked: Layers, _: str, outputs: Sequence[Tensors]) -> Differences:
        return looked.compare(outputs)

    def in_words(differences: Differences) -> str:
        return _sentence(differences, min_alike)

    looked, answers = examine(job, "diverge", look_at_layers, judge, in_words, boards=True)
    if json:
        _print_json(looked, answers, min_alike)
    else:
        _print(looked, answers, min_alike)
    end(answers, bad=any(one.value and first_apart(one.value, min_alike) for one in answers))


def _wanted(given: str | None, recipe: Recipe) -> tuple[str, ...] | int:
    """Read `--layers`. Raises ConfigError where it is no number above 0."""
    from orchestrator.errors import ConfigError

    if given is None:
        return recipe.layers or _LAYERS
    if not given.lstrip("-").isdigit():
        return tuple(name.strip() for name in given.split(",") if name.strip())
    if not 1 <= int(given) <= 100:  # noqa: PLR2004 - as optimize.layers allows
        raise ConfigError(f"--layers {given}: 1 to 100 tensors, or names with commas")
    return int(given)


def _sentence(differences: Differences, min_alike: float) -> str:
    from orchestrator.divergence import first_apart

    first = first_apart(differences, min_alike)
    if first is None:
        return f"it agrees with pulsar2 run on all {len(differences)} tensors"
    before = next(at for at, one in enumerate(differences) if one.name == first.name)
    return f"it agrees on {before} of {len(differences)} tensors, then diverges at {first}"


def _print(looked: Layers, answers: Sequence[Answer[Differences]], min_alike: float) -> None:
    from orchestrator.cli.console import out, print_table
    from orchestrator.divergence import first_apart

    console = out()
    good = [one for one in answers if one.value and not first_apart(one.value, min_alike)]
    apart = [one for one in answers if one.value and first_apart(one.value, min_alike)]
    for one in apart or good[:1]:
        rows = [
            (ours.name, f"{quantized.alike:.5f}", *_cells(ours))
            for quantized, ours in zip(looked.quantized, one.value or (), strict=True)
        ]
        print_table(f"{looked.recipe.name} on {one.board}", HEADER, rows, console=console)
    for one in [*good, *apart]:
        said = _sentence(one.value or (), min_alike)
        console.print(f"{one.board}: {said}", markup=False, soft_wrap=True)


def _cells(one: TensorDifference) -> tuple[str, ...]:
    error = "-" if one.max_abs_error is None else f"{one.max_abs_error:.4g}"
    return (f"{one.alike:.5f}", error, f"{one.largest:.4g}")


def _print_json(looked: Layers, answers: Sequence[Answer[Differences]], min_alike: float) -> None:
    from orchestrator.cli.console import print_json
    from orchestrator.divergence import first_apart
    from orchestrator.hashing import as_json

    boards: list[Json] = []
    for one in answers:
        first = first_apart(one.value or (), min_alike)
        told: dict[str, Json] = {"board": one.board, "diverges_at": first.name if first else None}
        told["tensors"] = as_json(one.value)
        told |= {"error_code": one.error_code, "error": one.error, "hint": one.hint}
        boards.append(told)
    found: dict[str, Json] = {"recipe": looked.recipe.name, "tensors": list(looked.names)}
    found["quantized"] = as_json(looked.quantized)
    print_json(found | {"boards": boards})
