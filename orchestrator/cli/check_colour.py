"""`orch check-colour`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.answers import plain
from orchestrator.cli.examine import end, examine
from orchestrator.cli.options import (
    CalibrationOption,
    CheckpointOption,
    ExcludeOption,
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
    from orchestrator.colour_check import Colours
    from orchestrator.domain import Json
    from orchestrator.examining import ColourTest
    from orchestrator.fleet.errands import Answer
    from orchestrator.simulating import Tensors

_FleetOption = Annotated[
    str | None,
    typer.Option("--fleet", "-f", help="Look at its boards as well; default: this host alone."),
]


def check_colour(
    fleet: _FleetOption = None,
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    recipe: RecipeOption = None,
    toolchain: ToolchainOption = None,
    checkpoint: CheckpointOption = None,
    calibration: CalibrationOption = None,
    images: ImagesOption = None,
    json: JsonOption = False,
) -> None:
    """Say whether recipe and compiled model mean the same colour order and memory layout."""
    from orchestrator.examining import look_at_colours

    over = Overrides(checkpoint, calibration, images)
    job = open_fleet_job(inventory, fleet or "sim", recipe, toolchain, over, limit, exclude)

    def judge(test: ColourTest, board: str, outputs: Sequence[Tensors]) -> Colours:
        return test.judge(board, outputs)

    def in_words(one: Colours) -> str:
        return f"wants its input {one.best}" if one.best else "cannot tell how it wants its input"

    test, answers = examine(
        job, "check-colour", look_at_colours, judge, in_words, boards=fleet is not None
    )
    found = [test.simulated, *(one.value for one in answers if one.value is not None)]
    if json:
        _print_json(test, found, answers)
    else:
        _print(test, found)
    end(answers, bad=any(one.best not in {None, "as told"} for one in found))


def _print(test: ColourTest, found: Sequence[Colours]) -> None:
    from orchestrator.cli.console import out
    from orchestrator.colour_check import explain

    console = out()
    for warning in test.warnings:
        console.print(f"warning: {warning}", markup=False, soft_wrap=True)
    for one in found:
        text, hint = explain(one, test.recipe, test.trained)
        console.print(text, markup=False, soft_wrap=True)
        if hint:
            console.print(f"  hint: {hint}", markup=False, soft_wrap=True)


def _print_json(
    test: ColourTest, found: Sequence[Colours], answers: Sequence[Answer[Colours]]
) -> None:
    from orchestrator.cli.console import print_json
    from orchestrator.colour_check import explain
    from orchestrator.hashing import as_json

    rows: list[Json] = []
    for one in found:
        text, hint = explain(one, test.recipe, test.trained)
        row: dict[str, Json] = {"maker": one.maker, "best": one.best, "text": text, "hint": hint}
        rows.append(row | {"alike": as_json(one.alike), "blind": list(one.blind)})
    failed: list[Json] = [plain(one) for one in answers if one.value is None]
    warnings: list[Json] = list(test.warnings)
    found_json: dict[str, Json] = {"recipe": test.recipe.name, "warnings": warnings}
    print_json(found_json | {"findings": rows, "failed": failed})
