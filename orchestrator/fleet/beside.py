"""What is measured on a board beside the plain latency, where it was asked for."""

from __future__ import annotations

from orchestrator.agent import Agent
from orchestrator.domain import BoardOutcome, Contend, Contention, Json, Recipe, Release
from orchestrator.shell.agent import ShellAgent
from orchestrator.stages.instruments import contend, second_opinion


def beside(
    agent: Agent,
    recipe: Recipe,
    release: Release,
    spec: Contend | None,
    run_id: str,
    *,
    trace: Json = None,
) -> dict[str, object]:
    """Give the fields of the outcome that come of it: `tool`, `contention`.

    A board without Python has been measured by `ax_run_model` already. `trace` is what a simulated
    board goes through; None: its times are real.
    """
    found: dict[str, object] = {}
    if "ax_run_model" in recipe.run.instruments and not isinstance(agent, ShellAgent):
        found["tool"] = second_opinion(agent, recipe, release, run_id)
    if spec is not None and trace is None:
        found["contention"] = contend(agent, recipe, release, spec, run_id)
    elif spec is not None:
        found["contention"] = _never_together(agent.board.name, spec, trace)
    return found


def _never_together(board: str, spec: Contend, trace: Json) -> Contention:
    """Refuse: each process lives a trace in a time of its own, so no two of them ever meet."""
    return Contention(
        "ax_run_model" if spec.affinities else "axengine",
        error_code="REFUSED",
        error=f"{board}: its times are scripted ({trace}), and each process has its own: "
        f"contention takes boards without a trace",
    )


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
