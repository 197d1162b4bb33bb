"""What `orch diverge` and `orch check-colour` share: a model is looked at here, then on boards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import typer

from orchestrator.cli.options import Job, couriers, open_ledger
from orchestrator.cli.runs import ended, new_run, recorded

if TYPE_CHECKING:
    from orchestrator.actions import Workshop
    from orchestrator.agent import Agent
    from orchestrator.domain import Recipe, Release, RunRecord
    from orchestrator.fleet.errands import Answer
    from orchestrator.simulating import Tensors


class Examined(Protocol):
    """What was found on this host, and the release that boards are to run."""

    @property
    def recipe(self) -> Recipe:
        """As it was built."""

    @property
    def release(self) -> Release:
        """With the inputs that it is run on."""


Looked = TypeVar("Looked", bound=Examined)
Found = TypeVar("Found")


def examine(
    job: Job,
    command: str,
    look: Callable[[Recipe, Workshop, str], Looked],
    judge: Callable[[Looked, str, Sequence[Tensors]], Found],
    in_words: Callable[[Found], str],
    *,
    boards: bool,
) -> tuple[Looked, list[Answer[Found]]]:
    """Look at a model on this host, then have each board run it beside its current release.

    Args:
        job: what is looked at, and on which boards.
        command: its name in the ledger.
        look: builds the model and runs it here.
        judge: says what to make of a board's outputs.
        in_words: says it in a line.
        boards: without, none is touched.
    """
    from orchestrator.cli.console import progress
    from orchestrator.fleet.errands import run_errands
    from orchestrator.wiring import make_workshop

    run = new_run(command, job.fleet.name, job.recipe.name)
    with (
        open_ledger(job.place) as ledger,
        progress() as shown,
        recorded(ledger, run) as ending,
    ):
        shop = make_workshop(job.place, ledger, job.toolchain, shown)
        looked = look(job.recipe, shop, run.run_id)
        answers: list[Answer[Found]] = []
        if boards:
            with couriers(job.place, job.fleet, shown) as (courier, chosen):
                errand = _errand(job, run, looked, judge)
                answers = run_errands(chosen, job.fleet.caps, courier, errand, in_words)
        ending.run = ended(run, 1 if any(one.value is None for one in answers) else 0)
    return looked, answers


def _errand(
    job: Job,
    run: RunRecord,
    looked: Looked,
    judge: Callable[[Looked, str, Sequence[Tensors]], Found],
) -> Callable[[Agent], Found]:
    """Give what is done on a board: bring the release beside the current one, run it, judge."""
    from orchestrator.fleet.staging import Staged, outputs_on_board
    from orchestrator.leases import owner_of
    from orchestrator.wiring import make_encoder

    name = f"{run.run_id}-{run.command}"
    staged = Staged(looked.recipe, looked.release, owner_of(run.run_id), name)
    encoder = make_encoder(job.place)

    def errand(agent: Agent) -> Found:
        return judge(looked, agent.board.name, outputs_on_board(agent, staged, encoder))

    return errand


def end(answers: Sequence[Answer[Found]], *, bad: bool) -> None:
    """Say which boards failed, and end with the exit code."""
    from orchestrator.cli.console import out

    failed = [one for one in answers if one.value is None]
    for one in failed:
        out().print(f"failed  {one.error}", markup=False, soft_wrap=True)
    raise typer.Exit(1 if failed or bad else 0)
