"""What a release says of images, on a board: one class map per image."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from orchestrator.agent import Agent
from orchestrator.domain import Artifact, Json, Recipe
from orchestrator.errors import AgentError
from orchestrator.replies import parse_outputs
from orchestrator.segmentation import ClassMap, class_map

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
) -> list[ClassMap]:
    """Have a release that is on the board look at images there; it need not be the current one.

    Raises:
        AgentError: with the agent's code, or INPUT_MISMATCH when an output is not a class map of
            its shape, (H, W).
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
    return _class_maps(name, outputs, recipe, list(shapes))


def _class_maps(
    name: str,
    outputs: Sequence[dict[str, NDArray[np.generic]]],
    recipe: Recipe,
    expected: list[tuple[int, ...]],
) -> list[ClassMap]:
    """Pick the model's output of each image; a wrong count or shape is an error, not a crash."""
    wanted = recipe.export.output_name if recipe.head.op == "none" else recipe.head.output_name
    shapes = [tensors[wanted].shape for tensors in outputs if wanted in tensors]
    maps: list[ClassMap] = []
    with suppress(KeyError, IndexError, ValueError):  # not there, or of another rank
        maps = [class_map(tensors[wanted], recipe.head.axis) for tensors in outputs]
    if [found.shape for found in maps] != expected:
        raise AgentError(
            f"{name}: {wanted!r} came back for {len(shapes)} images, as {sorted(set(shapes))}, "
            f"expected were {len(expected)} class maps {sorted(set(expected))}",
            "build and deploy again: the model and its recipe do not fit",
            "INPUT_MISMATCH",
        )
    return maps
