"""What a release says of images, on a board: one answer per image."""

from __future__ import annotations

import math
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
#: What one request may ask for; packed, it stays far below what a host reads.
_MOST_BYTES, _MOST_IMAGES = 64 * 1024 * 1024, 64


def infer(
    agent: Agent,
    recipe: Recipe,
    release_id: str,
    inputs: Sequence[Artifact],
    shapes: Sequence[tuple[int, ...]],
    run_id: str,
) -> list[Answer]:
    """Have a release that is on the board look at images there; it need not be the current one.

    Many images go in several requests, each under `run.timeout`; the later ones have ids of their
    own, `run_id-2` on.

    Raises:
        AgentError: with the agent's code, or INPUT_MISMATCH when an output is not an answer of
            its shape.
        DeadlineError, Unreachable: the work goes on on the board; the same run_id joins it.
    """
    name, at_once = agent.board.name, _at_once(recipe, shapes)
    answers: list[Answer] = []
    for number, start in enumerate(range(0, len(inputs), at_once), start=1):
        name_of_run = run_id if number == 1 else f"{run_id}-{number}"
        some = inputs[start : start + at_once]
        outputs = infer_outputs(agent, recipe, release_id, some, name_of_run)
        expected = list(shapes[start : start + at_once])
        answers += _answers(name, outputs, recipe, expected)
    return answers


def infer_outputs(
    agent: Agent, recipe: Recipe, release_id: str, inputs: Sequence[Artifact], run_id: str
) -> list[dict[str, NDArray[np.generic]]]:
    """Give every output of each image, by name, in one request. Raises as `infer` does."""
    request: dict[str, Json] = {
        "run_id": run_id,
        "model": MODEL,
        "release_id": release_id,
        "deadline_s": recipe.run.timeout_s,
        "inputs": [item.sha256 for item in inputs],
    }
    reply = agent.ask("infer", request, recipe.run.timeout_s + MARGIN_S)
    return parse_outputs(agent.board.name, reply)


def _at_once(recipe: Recipe, shapes: Sequence[tuple[int, ...]]) -> int:
    """Say how many images go in one request, so that its reply does not become too large."""
    if recipe.layers:  # inner tensors are large, and come back with every image
        return 1
    largest = max((math.prod(shape) for shape in shapes), default=1)
    channels = len(recipe.classes) if recipe.head.op == "none" else 1
    return min(max(_MOST_BYTES // (4 * largest * max(channels, 1)), 1), _MOST_IMAGES)


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
