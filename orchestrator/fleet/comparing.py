"""What boards are compared with: what the makers on this host have answered, and the masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.accuracy import Simulator, Truth, host_accuracy, truth_of
from orchestrator.building import Built
from orchestrator.domain import ActionRecord, Json, Origin, Recipe, Release
from orchestrator.fleet.quorum import Quorum
from orchestrator.hashing import as_json
from orchestrator.seams import Blobs
from orchestrator.table import Summary
from orchestrator.tasks import Answer


@dataclass(frozen=True, slots=True)
class OnHost:
    """The answers of this host, one per evaluation image.

    Attributes:
        reference: the float model's.
        simulated: those of `pulsar2 run` to the first images; none where the check is left out.
        truth: what the images show; None: it is not known.
        kept: how right these makers are, as a run's summary keeps it.
    """

    reference: tuple[Answer, ...]
    simulated: tuple[Answer, ...]
    truth: Truth | None
    kept: dict[str, Json]


def on_host(recipe: Recipe, built: Built, blobs: Blobs) -> OnHost:
    """Give what a build has answered on this host, and judge it. Raises ConfigError for masks."""
    reference, checked = _answers(built.optimized, "reference", blobs), built.checked
    truth = truth_of(recipe, reference)
    simulator = None
    if checked is not None:
        cosine = checked.facts.get("cosine")
        simulator = Simulator(
            _answers(checked, "answers", blobs),
            cosine if isinstance(cosine, float) else None,
            checked.facts.get("simulated") is True,
        )
    names = [item.name.removesuffix(".bin") for item in built.release.inputs]
    kept = host_accuracy(recipe, names, reference, simulator, truth)
    return OnHost(reference, simulator.answers if simulator else (), truth, kept)


def judged_summary(
    release: Release, summary: Summary, alike: Sequence[Quorum], accuracy: Mapping[str, Json]
) -> dict[str, Json]:
    """Give what every run that judges a release keeps in its summary."""
    return {
        "target": str(release.target),
        "pulsar2": release.pulsar2_version,
        "release_id": release.release_id,
        "simulated": release.simulated,
        "accuracy": dict(accuracy),
        "bit_agreement": as_json(list(alike)),
        "sentence": summary.sentence,
        "failed_boards": list(summary.failed_boards),
        "failed_gates": list(summary.failed_gates),
    }


def origin_of(built: Built) -> Origin:
    """Say what compiled a release; each board puts its own site in."""
    fields, cycles = built.compiled.fields, built.compiled.facts.get("max_cycle")
    return Origin(
        site="",
        pulsar2=built.release.pulsar2_version,
        toolchain_digest=fields.get("toolchain_digest", ""),
        max_cycle=cycles if isinstance(cycles, int) else None,
    )


def _answers(action: ActionRecord, role: str, blobs: Blobs) -> tuple[Answer, ...]:
    """Give the answers that a stage has made, one per evaluation image."""
    with blobs.open(action.outputs[role].sha256) as path:
        return tuple(np.load(path, allow_pickle=False))
