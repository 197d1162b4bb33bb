"""`orch verify`."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import (
    DryRunOption,
    EngineOption,
    ExcludeOption,
    InventoryOption,
    IterationsOption,
    JsonOption,
    LimitOption,
    ToolchainOption,
    open_fleet_job,
    open_ledger,
)
from orchestrator.errors import ConfigError
from orchestrator.overrides import Overrides

if TYPE_CHECKING:
    from orchestrator.backends.sql_ledger import SqlLedger
    from orchestrator.cli.options import Job
    from orchestrator.domain import Figures, Night
    from orchestrator.nights.asking import AskedNight
    from orchestrator.nights.order import NightEnded
    from orchestrator.nights.planning import Plan
    from orchestrator.seams import Progress
    from orchestrator.wiring import Workplace

_FleetOption = Annotated[
    str | None, typer.Option("--fleet", "-f", help="Fleet from the inventory.")
]
_RecipesOption = Annotated[
    list[str] | None,
    typer.Option("--recipe", "-r", help="Recipe to measure, again for more; default: the fleet's."),
]
_RoundsOption = Annotated[
    int | None,
    typer.Option("--rounds", min=1, max=100, help="Measurements of each recipe on each board."),
]
_BudgetOption = Annotated[
    str | None,
    typer.Option("--budget", metavar="TIME", help="How long it may take: 2h, 90m, 600s."),
]
_ResumeOption = Annotated[
    str | None,
    typer.Option(
        "--resume", metavar="NIGHT", help="Go on with a night that was cut off, or `last`."
    ),
]
_LastOption = Annotated[
    bool, typer.Option("--last", help="Print the last night's verdict in ten lines; touch nothing.")
]
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def verify(
    fleet: _FleetOption = None,
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    recipe: _RecipesOption = None,
    toolchain: ToolchainOption = None,
    iterations: IterationsOption = None,
    rounds: _RoundsOption = None,
    budget: _BudgetOption = None,
    engine: EngineOption = None,
    resume: _ResumeOption = None,
    last: _LastOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Measure a fleet for a night, compare it with the nights before, and say what moved."""
    from orchestrator.nights.asking import AskedNight, asked_of
    from orchestrator.wiring import open_workplace

    if last:
        from orchestrator.cli.night_screen import print_last

        print_last(inventory, fleet, json=json)
        return
    place = open_workplace(inventory)
    if resume is not None:
        night = _cut_off(place, resume)
        asked = asked_of(night)
    else:
        if fleet is None:
            raise ConfigError(
                "no fleet is named", "name one with --fleet, or a night with --resume"
            )
        known = place.inventory.fleet(fleet)
        spec = replace(known.verify, rounds=rounds or known.verify.rounds)
        spec = spec if budget is None else replace(spec, budget_s=seconds_of(budget))
        names = tuple(recipe or spec.recipes or ([known.recipe] if known.recipe else ()))
        asked = AskedNight(fleet, names, spec, toolchain, limit, exclude, iterations)
        night = None
    jobs = _jobs(asked, inventory)
    if dry_run:
        _print_plan(jobs, asked, json=json)
        return
    _work(jobs, asked, night, engine, json=json)


def seconds_of(text: str) -> float:
    """Read `2h`, `90m`, `1h 30m`, `600s`. Raises ConfigError."""
    found = _TIME.findall(text)
    if not found or _TIME.sub("", text).strip():
        raise ConfigError(f"--budget {text!r} is no time", "a time looks like 2h, 90m or 600s")
    return sum(float(number) * _SECONDS[unit] for number, unit in found)


def _jobs(asked: AskedNight, inventory: Path | None) -> list[Job]:
    """Give a job for each recipe. Raises ConfigError."""
    if not asked.recipes:
        raise ConfigError(
            f"fleet {asked.fleet!r} has no recipe",
            "name one with --recipe, or in the inventory: fleets.*.recipe",
        )
    over = Overrides(iterations=asked.iterations)
    rest = (asked.toolchain, over, asked.limit, asked.exclude)
    jobs = [open_fleet_job(inventory, asked.fleet, one, *rest) for one in asked.recipes]
    names = [job.recipe.name for job in jobs]
    if twice := sorted({one for one in names if names.count(one) > 1}):
        raise ConfigError(f"recipes of one name: {', '.join(twice)}", "give each a file of its own")
    return jobs


def _cut_off(place: Workplace, named: str) -> Night:
    """Give the night that is to go on. Raises ConfigError."""
    with open_ledger(place, keep=False) as ledger:
        newest = ledger.nights(None, 20)
        night = ledger.night(named)
        if named == "last":
            night = next((one for one in newest if one.finished_at is None), None)
    if night is None:
        known = ", ".join(one.night_id for one in newest if one.finished_at is None) or "none"
        raise ConfigError(f"the ledger has no night {named!r} to go on with", f"cut off: {known}")
    if night.finished_at is not None:
        raise ConfigError(f"night {night.night_id} has ended: {night.verdict}", "start a new one")
    return night


def _plan(jobs: list[Job], asked: AskedNight, ledger: SqlLedger) -> Plan:
    from orchestrator.clock import now
    from orchestrator.nights.planning import plan

    recipes = [job.recipe for job in jobs]
    known: dict[tuple[str, str], list[Figures]] = {}
    for recipe in recipes:
        for one in ledger.nights_before(
            asked.fleet, recipe.name, now(), asked.spec.baseline_nights
        ):
            known.setdefault((one.board, recipe.name), []).append(one)
    fleet, spec = jobs[0].fleet, asked.spec
    return plan(fleet.boards, recipes, known, spec.rounds, fleet.caps, spec.budget_s)


def _print_plan(jobs: list[Job], asked: AskedNight, *, json: bool) -> None:
    from orchestrator.cli.console import out, print_json
    from orchestrator.hashing import as_json
    from orchestrator.nights.planning import in_words

    with open_ledger(jobs[0].place, keep=False) as ledger:
        found = _plan(jobs, asked, ledger)
    if json:
        print_json(as_json(found))
        return
    out().print(in_words(found), markup=False, soft_wrap=True)
    out().print(f"order: {' '.join(found.boards)}", markup=False, soft_wrap=True)


def _work(
    jobs: list[Job], asked: AskedNight, night: Night | None, engine: str | None, *, json: bool
) -> None:
    """Do the night, print its screen, tell those who want to know, and end with its exit code."""
    from orchestrator.cli.console import progress
    from orchestrator.cli.night_ending import report_night
    from orchestrator.cli.runs import dead_runs, new_run

    place = jobs[0].place
    run_id = night.night_id if night else new_run("verify", asked.fleet, "").run_id
    ids = [run_id, *(f"{run_id}-{number}" for number in range(1, len(jobs) + 1))]
    with open_ledger(place) as ledger, progress() as shown:
        locks = place.home / "runs"
        with _held(locks, ids, shown), dead_runs(ledger, locks) as dead:
            try:
                ended = _night(jobs, asked, night, run_id, (ledger, shown, engine, dead))
            except KeyboardInterrupt:
                shown.event("night", f"interrupted; to go on: orch verify --resume {run_id}")
                raise
        exit_code = report_night(place, ledger, ended, shown, json=json)
    raise typer.Exit(exit_code)


@contextmanager
def _held(locks: Path, ids: list[str], shown: Progress) -> Iterator[None]:
    """Be the only one at a night and its runs."""
    from orchestrator.locks import hold

    waiting = partial(shown.event, "night", f"{ids[0]} is at work in another orch; waiting")
    with ExitStack() as stack:
        for one in ids:
            stack.enter_context(hold(locks / f"{one}.lock", waiting))
        yield


def _night(
    jobs: list[Job],
    asked: AskedNight,
    night: Night | None,
    night_id: str,
    means: tuple[SqlLedger, Progress, str | None, tuple[str, ...]],
) -> NightEnded:
    from orchestrator.cli.night_parts import begin_night, build_parts
    from orchestrator.cli.secrets import ask_for_secrets
    from orchestrator.nights.going import run_night
    from orchestrator.nights.order import NightOrder
    from orchestrator.nights.planning import in_words
    from orchestrator.simulation import simulated
    from orchestrator.wiring import make_crew

    ledger, shown, engine, dead = means
    place, fleet = jobs[0].place, jobs[0].fleet
    crew = make_crew(place, ledger, engine, shown, ask_for_secrets(fleet.boards))
    parts = build_parts(jobs, night_id, ledger, shown)
    plan = _plan(jobs, asked, ledger)
    shown.event("night", in_words(plan))
    if night is None:
        night = begin_night(asked, night_id, parts, ledger)
    budget = asked.spec.budget_s
    with simulated(place.simulation, fleet.boards, shown) as boards:
        order = NightOrder(
            replace(fleet, boards=boards),
            parts,
            asked.spec,
            plan,
            dead,
            None if budget is None else time.time() + budget,
        )
        return run_night(order, crew, night)
