"""Whether a staged release says what it must, before it becomes the current one."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.agent import Agent
from orchestrator.domain import Recipe, Release
from orchestrator.errors import AgentError
from orchestrator.inferring import infer
from orchestrator.tasks import Answer, task_of


def smoke(
    agent: Agent, recipe: Recipe, release: Release, golden: Sequence[Answer], run_id: str
) -> float:
    """Run the staged release on the first images; give its pixel agreement with `golden`, 0..1.

    `golden` has one answer for each of the first of the release's inputs.

    Raises:
        AgentError: with the agent's code; GOLDEN_MISMATCH when the agreement is too low.
        DeadlineError, Unreachable: the work goes on on the board; the same run_id joins it.
    """
    inputs = release.inputs[: len(golden)]
    shapes = [one.shape for one in golden]
    answers = infer(agent, recipe, release.release_id, inputs, shapes, f"{run_id}-smoke")
    share = task_of(recipe).compare(golden, answers, recipe).share
    if share < recipe.smoke.min_agreement:
        raise AgentError(
            f"{agent.board.name}: on {len(golden)} golden images the new release agrees by "
            f"{share:.2%} with what was expected, smoke.min_agreement is "
            f"{recipe.smoke.min_agreement:.2%}",
            "the release before it stays current; look at the board, or at the recipe's smoke",
            "GOLDEN_MISMATCH",
        )
    return share
