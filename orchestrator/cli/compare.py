"""`orch compare`: two runs, board by board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.baseline import runs_named
from orchestrator.cli.options import InventoryOption, JsonOption, open_ledger
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from orchestrator.backends.sql_ledger import SqlLedger
    from orchestrator.domain import RecipeJudged, RunRecord
    from orchestrator.wiring import Workplace

_HEADER = ("board", "before ms", "after ms", "change", "between", "verdict", "why")
_RUN = "Run or night; `last`; `baseline` for what is pinned."


def compare(
    before: Annotated[str, typer.Argument(metavar="RUN", help=_RUN)],
    after: Annotated[str, typer.Argument(metavar="RUN", help="What is compared with it.")],
    inventory: InventoryOption = None,
    json: JsonOption = False,
) -> None:
    """Compare two runs of a recipe, each board with itself."""
    from orchestrator.cli.console import print_json
    from orchestrator.hashing import as_json
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    with open_ledger(place, keep=False) as ledger:
        pairs = _pairs(ledger, before, after)
        found = [_judge(place, ledger, first, then) for first, then in pairs]
        if json:
            print_json(as_json(found))
        else:
            for (first, then), judged in zip(pairs, found, strict=True):
                _print(ledger, first, then, judged)
    raise typer.Exit(3 if any(one.verdict == "FAIL" for one in found) else 0)


def _pairs(ledger: SqlLedger, before: str, after: str) -> list[tuple[RunRecord, RunRecord]]:
    """Give the runs of one recipe that are held against each other. Raises ConfigError."""
    later = runs_named(ledger, after)
    if before == "baseline":
        pinned = [ledger.baseline(one.fleet, one.recipe) for one in later]
        earlier = [run for one in pinned if one for run in runs_named(ledger, one.run_id)]
        if not earlier:
            raise ConfigError("nothing is pinned", "orch baseline set RUN")
    else:
        earlier = runs_named(ledger, before)
    by_recipe = {one.recipe: one for one in earlier}
    pairs = [(by_recipe[one.recipe], one) for one in later if one.recipe in by_recipe]
    if not pairs:
        first, then = earlier[0], later[0]
        raise ConfigError(
            f"{first.run_id} is of recipe {first.recipe}, {then.run_id} of {then.recipe}",
            "compare runs of one recipe",
        )
    return pairs


def _judge(place: Workplace, ledger: SqlLedger, first: RunRecord, then: RunRecord) -> RecipeJudged:
    from orchestrator.domain import VerifySpec
    from orchestrator.judging.recipe import Context, judge_recipe

    fleet = place.inventory.fleets.get(then.fleet)
    spec = VerifySpec() if fleet is None else fleet.verify
    nights = ledger.nights_before(then.fleet, then.recipe, then.started_at, spec.baseline_nights)
    earlier, later = ledger.figures(first.run_id), ledger.figures(then.run_id)
    kinds = [{one.simulated for one in some if one.usable} for some in (earlier, later)]
    if kinds[0] and kinds[1] and not kinds[0] & kinds[1]:
        raise ConfigError(
            f"{first.run_id} and {then.run_id} cannot be compared: one is of simulated boards",
            "their times are of a CPU, not of an NPU",
        )
    context = Context(then.run_id, then.recipe, f"run {first.run_id}", nights=nights)
    return judge_recipe(later, earlier, spec, context)


def _print(ledger: SqlLedger, first: RunRecord, then: RunRecord, judged: RecipeJudged) -> None:
    from orchestrator.cli.console import out, print_table
    from orchestrator.reports.screen import change

    p50 = {one.board: one.p50_ms for one in ledger.figures(then.run_id) if one.usable}
    rows = []
    for one in judged.boards:
        now, was, effect = p50.get(one.board), one.baseline_ms, one.effect
        rows.append(
            (
                one.board,
                "-" if was is None else f"{was:.3f}",
                "-" if now is None else f"{now:.3f}",
                "-" if effect is None else f"{100 * effect.change:+.1f} %",
                "-" if effect is None else f"{100 * effect.low:+.1f} to {100 * effect.high:+.1f}",
                one.verdict,
                "; ".join(one.reasons) or "-",
            )
        )
    title = f"{then.recipe}: {then.run_id} against {first.run_id}: {judged.verdict}"
    print_table(title, _HEADER, rows, console=out())
    for finding in judged.findings:
        out().print(f"moved   {finding.text}", markup=False, soft_wrap=True)
    for mark in judged.marks:
        said = f"mark    {mark.kind} {mark.before} → {mark.after} on {' '.join(mark.boards)}"
        out().print(said, markup=False, soft_wrap=True)
    if judged.fleet is not None:
        said = f"fleet   {change(judged.fleet)}: {judged.fleet.verdict}"
        out().print(said, markup=False, soft_wrap=True)
