"""What is measured on a board beside the plain latency, where it was asked for."""

from __future__ import annotations

from orchestrator.agent import Agent
from orchestrator.domain import BoardOutcome, Contend, Recipe, Release
from orchestrator.shell.agent import ShellAgent
from orchestrator.stages.instruments import contend, second_opinion


def beside(
    agent: Agent, recipe: Recipe, release: Release, spec: Contend | None, run_id: str
) -> dict[str, object]:
    """Give the fields of the outcome that come of it: `tool`, `contention`.

    A board without Python has been measured by `ax_run_model` already.
    """
    found: dict[str, object] = {}
    if "ax_run_model" in recipe.run.instruments and not isinstance(agent, ShellAgent):
        found["tool"] = second_opinion(agent, recipe, release, run_id)
    if spec is not None:
        found["contention"] = contend(agent, recipe, release, spec, run_id)
    return found


def failed_beside(outcome: BoardOutcome) -> bool:
    """Say whether something that was asked for on the command line has not come of it."""
    contention = outcome.contention
    if contention is None:
        return False
    judged = contention.judged
    return judged is None or judged.verdict == "INVALID"


def remarks_beside(outcome: BoardOutcome) -> tuple[str, ...]:
    """Say what failed of it, or is odd about it."""
    tool, contention, power = outcome.tool, outcome.contention, outcome.power
    found = []
    if tool is not None:
        found += [f"ax_run_model: {one}" for one in (tool.error, *tool.remarks) if one]
    if contention is not None and contention.error:
        found.append(f"contention: {contention.error}")
    judged = None if contention is None else contention.judged
    if judged is not None and judged.verdict != "VALID":
        found.append(f"contention: {judged.verdict}: {'; '.join(map(str, judged.evidence))}")
    if power is not None and power.remark:
        found.append(power.remark)
    return tuple(found)
