"""How right the answers are: against the float model, and against the masks where there are any."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import Agreement, Json, Recipe
from orchestrator.evaluation import has_masks, masks_of
from orchestrator.hashing import as_json
from orchestrator.resampling import MIN_IMAGES, interval, weights
from orchestrator.segmentation import Tally, agreement_of, tally
from orchestrator.tasks import Answer, task_of


@dataclass(frozen=True, slots=True)
class Simulator:
    """What `pulsar2 run` answered to the first images; `simulated`: by the stand-in."""

    answers: tuple[Answer, ...]
    cosine: float | None
    simulated: bool


def answers_sha256(answers: Sequence[Answer]) -> str:
    """Name answers by what is in them, type and shape included; equal names are equal bits."""
    digest = hashlib.sha256()
    for one in answers:
        digest.update(f"{one.dtype.str} {one.shape}\n".encode())
        digest.update(np.ascontiguousarray(one).tobytes())
    return digest.hexdigest()


def agreement_with(
    references: Sequence[Answer], answers: Sequence[Answer], recipe: Recipe
) -> Agreement:
    """Compare with the float model's answers to the same, first images."""
    return task_of(recipe).compare(references[: len(answers)], answers, recipe)


class Truth:
    """The masks of the evaluation images, and what the float model is worth against them.

    They are read anew for answers that were not seen before, and never all kept.
    """

    def __init__(self, recipe: Recipe, reference: Sequence[Answer]) -> None:
        self._recipe = recipe
        self._float = self._counted(reference)
        self._known: dict[str, Agreement] = {}
        self.float_accuracy = agreement_of(self._float, recipe.classes)

    def accuracy(self, answers: Sequence[Answer]) -> Agreement:
        """Judge the answers to the first images; its figures say how far float is ahead of them."""
        name = answers_sha256(answers)
        if name not in self._known:
            self._known[name] = self._judged(answers)
        return self._known[name]

    def _judged(self, answers: Sequence[Answer]) -> Agreement:
        counted = self._counted(answers)
        images = len(answers)
        reference = Tally(
            self._float.both[:images],
            self._float.either[:images],
            self._float.same[:images],
            self._float.pixels[:images],
        )
        once = np.ones((1, images))
        before, after = float(reference.miou(once)[0]), float(counted.miou(once)[0])
        figures = {"float_miou": before, "miou_loss": before - after}
        if images >= MIN_IMAGES:
            drawn = weights(images)
            bounds = interval(reference.miou(drawn) - counted.miou(drawn), images)
            if bounds is not None:
                figures |= {"miou_loss_low": bounds[0], "miou_loss_high": bounds[1]}
        return replace(agreement_of(counted, self._recipe.classes), figures=figures)

    def _counted(self, answers: Sequence[Answer]) -> Tally:
        return tally(self._pairs(answers), len(self._recipe.classes), ignoring=True)

    def _pairs(
        self, answers: Sequence[Answer]
    ) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32]]]:
        for mask, answer in zip(masks_of(self._recipe), answers, strict=False):
            yield mask.astype(np.int32), enlarged(answer.astype(np.int32), mask.shape)


def truth_of(recipe: Recipe, reference: Sequence[Answer]) -> Truth | None:
    """Give what is known to be true of the evaluation images; None: nothing."""
    return Truth(recipe, reference) if has_masks(recipe) else None


def enlarged(ids: NDArray[np.int32], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Give a class map at another (H, W): each pixel is the one that lies under its middle."""
    height, width = shape
    rows = (2 * np.arange(height) + 1) * ids.shape[0] // (2 * height)
    columns = (2 * np.arange(width) + 1) * ids.shape[1] // (2 * width)
    return np.asarray(ids[rows[:, np.newaxis], columns], dtype=np.int32)


def host_accuracy(
    recipe: Recipe,
    names: Sequence[str],
    reference: Sequence[Answer],
    simulator: Simulator | None,
    truth: Truth | None,
) -> dict[str, Json]:
    """Give what a run's summary keeps of the makers on this host, beside the boards' outcomes.

    `names` are those of the images, `reference` the float model's answers to them.
    """
    kept: dict[str, Json] = {
        "images": list(names),
        "float": {
            "images": len(reference),
            "accuracy": None if truth is None else as_json(truth.float_accuracy),
            "output_sha256": answers_sha256(reference),
        },
        "pulsar2_run": None,
    }
    if simulator is not None:
        accuracy = None if truth is None else truth.accuracy(simulator.answers)
        kept["pulsar2_run"] = {
            "images": len(simulator.answers),
            "agreement": as_json(agreement_with(reference, simulator.answers, recipe)),
            "accuracy": as_json(accuracy),
            "output_sha256": answers_sha256(simulator.answers),
            "cosine": simulator.cosine,
            "simulated": simulator.simulated,
        }
    return kept
