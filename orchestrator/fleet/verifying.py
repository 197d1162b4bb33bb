"""One board judged on an evaluation set: what it has is neither switched nor timed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.accuracy import Truth, agreement_with, answers_sha256
from orchestrator.accuracy_gates import broken_accuracy_gates
from orchestrator.agent import Agent
from orchestrator.clock import now
from orchestrator.domain import BoardOutcome, Json, Recipe, Release, RunRecord
from orchestrator.fleet.comparing import judged_summary
from orchestrator.fleet.errands import Answer as ErrandAnswer
from orchestrator.fleet.quorum import quorums, with_quorums
from orchestrator.inferring import infer
from orchestrator.leases import leased
from orchestrator.stages.deploy import Means, deploy, needs_switch, wanted, wrong_release
from orchestrator.table import Summary
from orchestrator.tasks import Answer
from orchestrator.transfer.encoding import Encoder


@dataclass(frozen=True, slots=True)
class Examination:
    """What every board is examined with.

    Attributes:
        reference: the float model's answers, one for each of the release's inputs.
    """

    recipe: Recipe
    release: Release
    reference: tuple[Answer, ...]
    run_id: str
    owner: str
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Examined:
    """What a board has answered, and its outcome so far."""

    outcome: BoardOutcome
    answers: tuple[Answer, ...]


def examine(agent: Agent, asked: Examination, encoder: Encoder) -> Examined:
    """Send what the board lacks of the evaluation set, and have its current release answer.

    Raises:
        AgentError: NO_RELEASE where another release is the current one; LEASED; or the agent's.
        DeadlineError, Unreachable: on the way.
    """
    release = asked.release
    agent.end_after(asked.deadline_s)
    with leased(agent, asked.owner, [item.sha256 for item in wanted(release)]) as probe:
        if needs_switch(probe, release):
            raise wrong_release(agent, probe, release)
        # Nothing but images can be missing, and nothing is switched.
        delivery = deploy(agent, probe, release, Means(encoder))
        shapes = [one.shape for one in asked.reference]
        answers = tuple(
            infer(
                agent,
                asked.recipe,
                release.release_id,
                release.inputs,
                shapes,
                f"{asked.run_id}-infer",
            )
        )
    outcome = BoardOutcome(
        board=agent.board.name,
        simulated=probe.facts.get("simulated") is True,
        facts=probe.facts,
        delivery=delivery,
        agreement=agreement_with(asked.reference, answers, asked.recipe),
        output_sha256=answers_sha256(answers),
    )
    return Examined(outcome, answers)


def outcome_of(found: ErrandAnswer[Examined], truth: Truth | None) -> BoardOutcome:
    """Judge the answers of a board against the masks, or say why there are none."""
    if found.value is None:
        return BoardOutcome(
            found.board, False, {}, error_code=found.error_code, error=found.error, hint=found.hint
        )
    accuracy = None if truth is None else truth.accuracy(found.value.answers)
    return replace(found.value.outcome, accuracy=accuracy)


def in_words(found: Examined) -> str:
    """Say of one board how it went."""
    agreed, delivery = found.outcome.agreement, found.outcome.delivery
    said = [] if agreed is None else [f"agreement {agreed.share:.2%} on {agreed.images} images"]
    if delivery is not None and delivery.uploaded_bytes:
        said.append(f"{delivery.uploaded_bytes:,} bytes of images uploaded")
    return ", ".join(said)


def conclude(
    run: RunRecord, asked: Examination, outcomes: Sequence[BoardOutcome], kept: Mapping[str, Json]
) -> RunRecord:
    """Judge the gates of accuracy and whether boards agree to the bit, and say how it went."""
    release, gates = asked.release, asked.recipe.gates
    answered = [one for one in outcomes if not one.error_code]
    images, alike = len(asked.reference), {one.output_sha256 for one in answered}
    same = ", with the same answers to the bit" if len(answered) > 1 == len(alike) else ""
    summary = Summary(
        f"{len(answered)} of {len(outcomes)} boards judged on {images} images{same}",
        tuple(one.board for one in outcomes if one.error_code),
        tuple(text for one in answered for text in broken_accuracy_gates(one, gates)),
    )
    found = quorums(outcomes, release.pulsar2_version)
    summary = with_quorums(summary, found)
    return replace(
        run,
        finished_at=now(),
        exit_code=summary.exit_code,
        summary=judged_summary(release, summary, found, kept),
    )
