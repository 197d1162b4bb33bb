"""Measure the current release of one board, and hear what it says on the evaluation images."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.agent import Agent
from orchestrator.domain import Agreement, Json, Judged, Measurement, Recipe, Release
from orchestrator.errors import AgentError
from orchestrator.latency import judge
from orchestrator.replies import parse_measurement, parse_outputs
from orchestrator.segmentation import ClassMap, agreement, class_map

MODEL = "model.axmodel"
#: What starting, loading and sending may take beside the work itself.
_MARGIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What a board did; `class_maps` has one (H, W) map per evaluation image."""

    measurement: Measurement
    judged: Judged
    agreement: Agreement
    class_maps: tuple[ClassMap, ...]


def run(
    agent: Agent, recipe: Recipe, release: Release, reference: Sequence[ClassMap], run_id: str
) -> Ran:
    """Time the model, then run it on the evaluation images and compare with `reference`.

    Raises:
        AgentError: with the agent's code, or INPUT_MISMATCH when an output is not what it must be.
        DeadlineError, Unreachable: the work goes on on the board; the same run_id joins it.
    """
    name = agent.board.name
    measurement = parse_measurement(name, _benchmark(agent, recipe, release, run_id))
    if len(measurement.samples_ns) != recipe.run.iterations:
        raise AgentError(
            f"{name}: {len(measurement.samples_ns)} samples came back, "
            f"{recipe.run.iterations} were asked for"
        )
    outputs = parse_outputs(name, _infer(agent, recipe, release, run_id))
    maps = _class_maps(name, outputs, recipe, reference)
    agreed = agreement(reference, maps, len(recipe.classes))
    return Ran(measurement, judge(measurement), agreed, tuple(maps))


def _benchmark(agent: Agent, recipe: Recipe, release: Release, run_id: str) -> dict[str, Json]:
    request: dict[str, Json] = {
        "run_id": f"{run_id}-benchmark",
        "model": MODEL,
        "warmup": recipe.run.warmup,
        "iterations": recipe.run.iterations,
        "deadline_s": recipe.run.timeout_s,
        "input": release.inputs[0].sha256,
    }
    return agent.ask("benchmark", request, recipe.run.timeout_s + _MARGIN_S)


def _infer(agent: Agent, recipe: Recipe, release: Release, run_id: str) -> dict[str, Json]:
    request: dict[str, Json] = {
        "run_id": f"{run_id}-infer",
        "model": MODEL,
        "deadline_s": recipe.run.timeout_s,
        "inputs": [item.sha256 for item in release.inputs],
    }
    return agent.ask("infer", request, recipe.run.timeout_s + _MARGIN_S)


def _class_maps(
    name: str,
    outputs: Sequence[dict[str, NDArray[np.generic]]],
    recipe: Recipe,
    reference: Sequence[ClassMap],
) -> list[ClassMap]:
    """Pick the model's output of each image; a wrong count or shape is an error, not a crash."""
    wanted = recipe.export.output_name if recipe.head.op == "none" else recipe.head.output_name
    shapes = [tensors[wanted].shape for tensors in outputs if wanted in tensors]
    expected = [truth.shape for truth in reference]
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
