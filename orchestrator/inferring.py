"""What a release says of images, on a board: one answer per image."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from orchestrator.agent import Agent
from orchestrator.domain import Artifact, Json, Recipe
from orchestrator.errors import AgentError
from orchestrator.replies import parse_outputs
from orchestrator.tasks import Answer, output_name, task_of

MODEL = "model.axmodel"
#: What starting, loading and sending may take beside the work itself.
MARGIN_S = 60.0


def infer(
    agent: Agent,
    recipe: Recipe,
    release_id: str,
    inputs: Sequence[Artifact],
    shapes: Sequence[tuple[int, ...]],
    run_id: str,
) -> list[Answer]:
    """Have a release that is on the board look at images there; it need not be the current one.

    Raises:
        AgentError: with the agent's code, or INPUT_MISMATCH when an output is not an answer of
            its shape.
        DeadlineError, Unreachable: the work goes on on the board; the same run_id joins it.
    """
    request: dict[str, Json] = {
        "run_id": run_id,
        "model": MODEL,
        "release_id": release_id,
        "deadline_s": recipe.run.timeout_s,
        "inputs": [item.sha256 for item in inputs],
    }
    name = agent.board.name
    outputs = parse_outputs(name, agent.ask("infer", request, recipe.run.timeout_s + MARGIN_S))
    return _answers(name, outputs, recipe, list(shapes))


def _answers(
    name: str,
    outputs: Sequence[dict[str, NDArray[np.generic]]],
    recipe: Recipe,
    expected: list[tuple[int, ...]],
) -> list[Answer]:
    """Pick the model's output of each image; a wrong count or shape is an error, not a crash."""
    wanted = output_name(recipe)
    shapes = [tensors[wanted].shape for tensors in outputs if wanted in tensors]
    answers: list[Answer] = []
    with suppress(KeyError, IndexError, ValueError):  # not there, or of another rank
        answers = [task_of(recipe).answer(tensors[wanted], recipe) for tensors in outputs]
    if [found.shape for found in answers] != expected:
        raise AgentError(
            f"{name}: {wanted!r} came back for {len(shapes)} images, as {sorted(set(shapes))}, "
            f"expected were {len(expected)} answers {sorted(set(expected))}",
            "build and deploy again: the model and its recipe do not fit",
            "INPUT_MISMATCH",
        )
    return answers
