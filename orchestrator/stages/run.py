"""Measure the current release of one board, and hear what it says on the evaluation images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.accuracy import agreement_with, answers_sha256
from orchestrator.agent import Agent
from orchestrator.cooling import MOST_S, Waiting, cool_down, cool_down_to
from orchestrator.domain import Again, Agreement, Attempt, Json, Power, Recipe, Release
from orchestrator.inferring import MARGIN_S, MODEL, infer
from orchestrator.power import sampled
from orchestrator.replies import parse_measurement
from orchestrator.tasks import Answer
from orchestrator.verdicts import judge


@dataclass(frozen=True, slots=True)
class Ran:
    """What a board did.

    Attributes:
        last: the measurement that counts.
        attempts: those before it, in order.
        answers: one per evaluation image.
        remarks: on measuring again.
        power: what the board drew during the last measurement; None: it has no power hook.
    """

    last: Attempt
    attempts: tuple[Attempt, ...]
    agreement: Agreement
    answers: tuple[Answer, ...]
    remarks: tuple[str, ...] = ()
    power: Power | None = None

    @property
    def output_sha256(self) -> str:
        """Name the answers by what is in them: boards that must agree have the same."""
        return answers_sha256(self.answers)


@dataclass(frozen=True, slots=True)
class Work:
    """What a board is to do; `again` says whether a measurement that is not VALID is repeated.

    With `staged` it is not the current release, but one that lies beside it.
    """

    recipe: Recipe
    release: Release
    reference: Sequence[Answer]
    run_id: str
    again: Again = field(default_factory=Again)
    waiting: Waiting = field(default_factory=Waiting)
    staged: bool = False


def run(agent: Agent, work: Work) -> Ran:
    """Time the model, then run it on the evaluation images and compare with `reference`.

    Raises:
        AgentError: with the agent's code, or INPUT_MISMATCH when an output is not what it must be.
        DeadlineError, Unreachable: the work goes on on the board; the same run_id joins it.
    """
    tried, power, remarks = _measure_until_valid(agent, work)
    answers = hear(agent, work)
    agreed = agreement_with(work.reference, answers, work.recipe)
    *attempts, last = tried
    return Ran(last, tuple(attempts), agreed, answers, tuple(remarks), power)


def hear(agent: Agent, work: Work) -> tuple[Answer, ...]:
    """Give what the board says of the evaluation images. Raises as `run` does."""
    release, shapes = work.release, [one.shape for one in work.reference]
    of = f"{work.run_id}-infer"
    return tuple(infer(agent, work.recipe, release.release_id, release.inputs, shapes, of))


def _measure_until_valid(agent: Agent, work: Work) -> tuple[list[Attempt], Power | None, list[str]]:
    """Give all measurements in order, the one that counts last, its power, and remarks."""
    tried: list[Attempt] = []
    remarks: list[str] = []
    began_s = work.waiting.now_s()
    while True:
        number = len(tried) + 1
        of = f"{work.run_id}-benchmark" + ("" if number == 1 else f"-{number}")
        attempt, power = measure(agent, work, of)
        tried.append(attempt)
        judged = tried[-1].judged
        if judged.verdict == "VALID" or number > work.again.times:
            return tried, power, remarks
        # The board's deadline has room for as much again as has passed, and for the images.
        spent_s = (work.waiting.now_s() - began_s) / number
        left_s = agent.left(math.inf) - 2 * spent_s
        if left_s <= 0:
            remarks.append(f"try {number} was {judged.verdict}; no time is left for another")
            return tried, power, remarks
        to_c = cool_down_to(work.again, tried[0].measurement, judged)
        if to_c is not None and (told := cool_down(agent, to_c, min(MOST_S, left_s), work.waiting)):
            remarks.append(told)


def measure(agent: Agent, work: Work, of: str) -> tuple[Attempt, Power | None]:
    """Measure once, under an id of its own: the same id again gives the same measurement."""
    with sampled(agent.board) as meter:
        reply = _benchmark(agent, work, of)
    measurement = parse_measurement(agent.board.name, reply)
    return Attempt(measurement, judge(measurement, work.recipe.run)), meter.read(measurement)


def _benchmark(agent: Agent, work: Work, run_id: str) -> dict[str, Json]:
    how = work.recipe.run
    request: dict[str, Json] = {
        "run_id": run_id,
        "model": MODEL,
        "warmup": how.warmup,
        "iterations": how.iterations,
        "min_duration_s": how.min_duration_s,
        "blocks": how.blocks,
        "deadline_s": how.timeout_s,
        "input": work.release.inputs[0].sha256,
    }
    if work.staged:
        request["release_id"] = work.release.release_id
    return agent.ask("benchmark", request, how.timeout_s + MARGIN_S)
