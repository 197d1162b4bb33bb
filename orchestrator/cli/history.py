"""`orch history`: a board or a fleet, night after night."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.ledger import since_of
from orchestrator.cli.options import InventoryOption, JsonOption, open_ledger
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from orchestrator.domain import ChangePoint, Figures, TrendPoint

_BOARD_HEADER = (
    *("when", "run", "p50 ms", "± ms", "rounds", "step", "°C", "NPU MHz", "agreement", "verdict"),
)
_FLEET_HEADER = ("when", "night", "boards", "p50 ms", "change", "between", "agreement", "verdict")


def history(
    board: Annotated[str | None, typer.Option("--board", "-b", help="One board.")] = None,
    fleet: Annotated[str | None, typer.Option("--fleet", "-f", help="A fleet's trend.")] = None,
    recipe: Annotated[str | None, typer.Option("--recipe", "-r", help="One recipe.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="AGE", help="30d, 2w, 1y or a date.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many rows.")] = 60,
    inventory: InventoryOption = None,
    json: JsonOption = False,
) -> None:
    """Show a board's nights, or without --board how a fleet stood in each."""
    from orchestrator.cli.console import print_json
    from orchestrator.fleet_history import Asked
    from orchestrator.hashing import as_json
    from orchestrator.wiring import open_workplace

    if board is None and fleet is None:
        raise ConfigError("neither a board nor a fleet is named", "orch history --board NAME")
    began = since_of(since)
    with open_ledger(open_workplace(inventory), keep=False) as ledger:
        if board is not None:
            found = ledger.history(Asked(fleet, board, recipe, began, limit))
            if json:
                print_json(as_json(found))
            else:
                _print_board(board, list(reversed(found)))
            return
        trend = ledger.trend(fleet or "", recipe, began)[-limit:]
    if json:
        print_json(as_json(trend))
    else:
        _print_fleet(fleet or "", trend)


def _print_board(board: str, figures: Sequence[Figures]) -> None:
    from orchestrator.cli.console import out, print_table
    from orchestrator.judging.change_points import change_points
    from orchestrator.judging.marks import changes
    from orchestrator.reports.trend_bars import bars

    console = out()
    if not figures:
        console.print(f"nothing is known of {board}", markup=False)
        return
    for name in dict.fromkeys(one.recipe for one in figures):
        own = [one for one in figures if one.recipe == name]
        rows = [_board_row(one, before) for one, before in zip(own, [None, *own], strict=False)]
        values = [one.p50_ms if one.usable else None for one in own]
        told = " (simulated)" if any(one.simulated for one in own) else ""
        print_table(
            f"{name} on {board}{told}  {bars(values, 40)}", _BOARD_HEADER, rows, console=console
        )
        for before, after in pairwise(own):
            for kind, was, now in changes(before, after):
                console.print(
                    f"mark    {_when(after.at)} {kind} {was} → {now}", markup=False, soft_wrap=True
                )
        series = [(one.at, one.p50_ms) for one in own if one.usable and one.p50_ms]
        _print_steps(change_points(series, board))


def _board_row(one: Figures, before: Figures | None) -> tuple[str, ...]:
    within = "-"
    if one.p50_ms is not None and one.low_ms is not None and one.high_ms is not None:
        within = f"{max(one.high_ms - one.p50_ms, one.p50_ms - one.low_ms):.3f}"
    step = "-"
    if before is not None and before.usable and one.usable and before.p50_ms and one.p50_ms:
        step = f"{100 * (one.p50_ms / before.p50_ms - 1):+.1f} %"
    rounds = f"{len(one.rounds_ms)}" + (f" (+{one.rounds_unused})" if one.rounds_unused else "")
    return (
        _when(one.at),
        one.run_id,
        "-" if one.p50_ms is None else f"{one.p50_ms:.3f}",
        within,
        rounds,
        step,
        "-" if one.temperature_c is None else f"{one.temperature_c:.0f}",
        "-" if one.npu_clock_mhz is None else f"{one.npu_clock_mhz:.0f}",
        "-" if one.agreement is None else f"{one.agreement:.2%}",
        f"failed: {one.error_code}" if one.error_code else one.verdict or "-",
    )


def _print_fleet(fleet: str, trend: Sequence[TrendPoint]) -> None:
    from orchestrator.cli.console import out, print_table
    from orchestrator.judging.change_points import change_points
    from orchestrator.reports.trend_bars import bars

    console = out()
    if not trend:
        console.print(f"fleet {fleet} has no nights", markup=False)
        return
    for name in dict.fromkeys(one.recipe for one in trend):
        own = [one for one in trend if one.recipe == name]
        title = f"{name} on fleet {fleet}  {bars([one.p50_ms for one in own], 40)}"
        print_table(title, _FLEET_HEADER, [_fleet_row(one) for one in own], console=console)
        _print_steps(change_points([(one.at, one.p50_ms) for one in own if one.p50_ms]))


def _fleet_row(one: TrendPoint) -> tuple[str, ...]:
    between = "-"
    if one.low is not None and one.high is not None:
        between = f"{100 * one.low:+.1f} to {100 * one.high:+.1f}"
    return (
        _when(one.at),
        one.night,
        str(one.boards),
        "-" if one.p50_ms is None else f"{one.p50_ms:.3f}",
        "-"
        if one.change is None
        else f"{100 * one.change:+.1f} %" + (" moved" if one.moved else ""),
        between,
        "-" if one.agreement is None else f"{one.agreement:.2%}",
        one.verdict,
    )


def _print_steps(steps: Sequence[ChangePoint]) -> None:
    from orchestrator.cli.console import out

    for one in steps:
        said = f"step    from {_when(one.at)} on {100 * one.change:+.1f} % (p {one.p:.3f})"
        out().print(said, markup=False, soft_wrap=True)


def _when(at: str) -> str:
    return at.replace("T", " ")[:16]
