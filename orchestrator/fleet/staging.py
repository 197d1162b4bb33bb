"""Have a board run a release that is staged there and not made the current one."""

from __future__ import annotations

import time
from dataclasses import dataclass

from orchestrator.agent import Agent
from orchestrator.boards.check import Known, check_board, refuse
from orchestrator.boards.need import Need
from orchestrator.domain import Recipe, Release
from orchestrator.inferring import infer_outputs
from orchestrator.leases import leased
from orchestrator.simulating import Tensors
from orchestrator.stages.deploy import missing_blobs, stage, wanted
from orchestrator.transfer.encoding import Encoder


@dataclass(frozen=True, slots=True)
class Staged:
    """What is run on boards, by whom: `owner` holds them, `run_id` names the work there."""

    recipe: Recipe
    release: Release
    owner: str
    run_id: str


def outputs_on_board(agent: Agent, staged: Staged, encoder: Encoder) -> list[Tensors]:
    """Give all outputs of a release for each of its inputs; what is current there stays so.

    Raises:
        AgentError, Unreachable, DeadlineError, Refused: as a deploy does.
    """
    release = staged.release
    hashes = [item.sha256 for item in wanted(release)]
    with leased(agent, staged.owner, hashes) as probe:
        missing = missing_blobs(probe, release)
        need = Need(
            send_bytes=sum(item.size_bytes for item in missing),
            files=len(missing),
            task=staged.recipe.checkpoint.task,
        )
        refuse(agent.board.name, check_board(probe.facts, release, need, Known(time.time())))
        stage(agent, probe, release, encoder)
        answers: list[Tensors] = []
        for number, item in enumerate(release.inputs, start=1):
            name = f"{staged.run_id}-{number}"
            answers += infer_outputs(agent, staged.recipe, release.release_id, [item], name)
    return answers
