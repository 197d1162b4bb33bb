"""Measure the current release of one board, and hear what it says on the evaluation images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.agent import Agent
from orchestrator.domain import Agreement, Json, Judged, Measurement, Recipe, Release
from orchestrator.errors import AgentError
from orchestrator.inferring import MARGIN_S, MODEL, infer
from orchestrator.latency import judge, tool_figures
from orchestrator.replies import parse_measurement
from orchestrator.tasks import Answer, task_of

#: Runs that do not count where the recipe does not say how many.
_WARMUP = 10


@dataclass(frozen=True, slots=True)
class Ran:
    """What a board did; `answers` has one per evaluation image."""

    measurement: Measurement
    judged: Judged
    agreement: Agreement
    answers: tuple[Answer, ...]


def run(
    agent: Agent, recipe: Recipe, release: Release, reference: Sequence[Answer], run_id: str
) -> Ran:
    """Time the model, then run it on the evaluation images and compare with `reference`.

    Raises:
        AgentError: with the agent's code, or INPUT_MISMATCH when an output is not what it must be.
        DeadlineError, Unreachable: the work goes on on the board; the same run_id joins it.
    """
    name = agent.board.name
    measurement = parse_measurement(name, _benchmark(agent, recipe, release, run_id))
    complete = len(measurement.samples_ns) == recipe.run.iterations
    if not complete and tool_figures(measurement) is None:
        raise AgentError(
            f"{name}: {len(measurement.samples_ns)} samples came back, "
            f"{recipe.run.iterations} were asked for"
        )
    shapes = [one.shape for one in reference]
    answers = infer(agent, recipe, release.release_id, release.inputs, shapes, f"{run_id}-infer")
    agreed = task_of(recipe).compare(reference, answers, recipe)
    return Ran(measurement, judge(measurement), agreed, tuple(answers))


def _benchmark(agent: Agent, recipe: Recipe, release: Release, run_id: str) -> dict[str, Json]:
    request: dict[str, Json] = {
        "run_id": f"{run_id}-benchmark",
        "model": MODEL,
        "warmup": _WARMUP if recipe.run.warmup is None else recipe.run.warmup,
        "iterations": recipe.run.iterations,
        "deadline_s": recipe.run.timeout_s,
        "input": release.inputs[0].sha256,
    }
    return agent.ask("benchmark", request, recipe.run.timeout_s + MARGIN_S)
