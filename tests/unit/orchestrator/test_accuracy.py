"""Figures over class maps, also against scikit-learn's, which counts in a way of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from orchestrator.accuracy import (
    Simulator,
    Truth,
    agreement_with,
    answers_sha256,
    enlarged,
    host_accuracy,
    truth_of,
)
from orchestrator.domain import ImageSource, Recipe
from orchestrator.makers import read_agreement
from orchestrator.segmentation import agreement

Map = NDArray[np.int32]
IMAGES, CLASSES, SIZE = 12, 3, (8, 16)


def maps(seed: int, low: int = 0, high: int = CLASSES) -> list[Map]:
    random = np.random.default_rng(seed)
    return [random.integers(low, high, SIZE, dtype=np.int32) for _ in range(IMAGES)]


def half_right(masks: list[Map], seed: int) -> list[Map]:
    """Answers that are right for about half of the pixels, and elsewhere anything."""
    random = np.random.default_rng(seed)
    noise = maps(seed + 1)
    return [
        np.where(random.random(SIZE) < 0.5, mask, other)
        for mask, other in zip(masks, noise, strict=True)
    ]


@pytest.fixture
def masks() -> list[Map]:
    """Some pixels are of no class."""
    return [np.where(mask == CLASSES, 255, mask).astype(np.int32) for mask in maps(0, 0, 4)]


@pytest.fixture
def labelled(tmp_path: Path, recipe: Recipe, masks: list[Map]) -> Recipe:
    for number, mask in enumerate(masks):
        (tmp_path / "m").mkdir(exist_ok=True)
        (tmp_path / "i").mkdir(exist_ok=True)
        Image.fromarray(mask.astype(np.uint8)).save(tmp_path / "m" / f"{number:02d}.png")
        Image.new("RGB", SIZE[::-1]).save(tmp_path / "i" / f"{number:02d}.png")
    source = ImageSource(str(tmp_path / "i"), None, 0, 99, str(tmp_path / "m"))
    return replace(recipe, evaluation=source)


@pytest.mark.parametrize("seed", range(5))
def test_agreement_is_that_of_scikit_learn(seed: int) -> None:
    from sklearn.metrics import accuracy_score, jaccard_score

    references, others = maps(seed), half_right(maps(seed), seed)
    first, second = (np.concatenate([one.ravel() for one in side]) for side in (references, others))

    found = agreement(references, others, CLASSES, ("road", "sky", "car"))

    assert found.share == pytest.approx(accuracy_score(first, second))
    assert found.miou == pytest.approx(jaccard_score(first, second, average="macro"))
    each = jaccard_score(first, second, average=None)
    assert list(found.per_class.values()) == pytest.approx(each.tolist())
    assert list(found.per_class) == ["road", "sky", "car"]


@pytest.mark.parametrize("seed", range(5))
def test_accuracy_against_masks_is_that_of_scikit_learn_on_the_labelled_pixels(
    labelled: Recipe, masks: list[Map], seed: int
) -> None:
    from sklearn.metrics import accuracy_score, jaccard_score

    answers = half_right(masks, seed)
    truth = np.concatenate([one.ravel() for one in masks])
    said = np.concatenate([one.ravel() for one in answers])
    counts = truth < CLASSES

    found = Truth(labelled, answers).float_accuracy

    expected = jaccard_score(truth[counts], said[counts], labels=range(CLASSES), average="macro")
    assert (truth == 255).any()
    assert found.miou == pytest.approx(expected)
    assert found.share == pytest.approx(accuracy_score(truth[counts], said[counts]))


def test_classes_that_occur_nowhere_do_not_count_and_absent_ones_do() -> None:
    from sklearn.metrics import jaccard_score

    reference, other = np.array([[0, 0, 1, 1]], np.int32), np.array([[0, 0, 1, 2]], np.int32)

    found = agreement([reference], [other], 10, tuple("abcdefghij"))

    expected = jaccard_score(reference[0], other[0], average="macro", zero_division=0)
    assert found.miou == pytest.approx(expected)
    assert found.per_class == {"a": 1.0, "b": 0.5, "c": 0.0}


def test_the_interval_of_miou_is_that_of_resampled_images() -> None:
    references, others = maps(7), half_right(maps(7), 8)

    found = agreement(references, others, CLASSES)

    random, resampled = np.random.default_rng(99), []
    for _ in range(400):
        drawn = random.integers(0, IMAGES, IMAGES)
        one = agreement([references[i] for i in drawn[:9]], [others[i] for i in drawn[:9]], CLASSES)
        resampled.append(one.miou or 0.0)
    assert found.miou_interval is not None
    low, high = found.miou_interval
    assert found.miou is not None
    assert low < found.miou < high
    # Nine of twelve images scatter more than twelve do; the interval is of that order.
    assert high - low == pytest.approx(4.4 * np.std(resampled) * np.sqrt(9 / 12), rel=0.25)


def test_a_board_is_held_against_the_float_model_image_by_image(
    labelled: Recipe, masks: list[Map]
) -> None:
    reference, worse = half_right(masks, 1), half_right(masks, 2)
    worse = [np.where(one == 2, 1, one) for one in worse]  # it never sees a car
    truth = truth_of(labelled, reference)
    assert truth is not None

    same, lost = truth.accuracy(reference), truth.accuracy(worse)

    assert same.figures["miou_loss"] == 0
    assert (same.figures["miou_loss_low"], same.figures["miou_loss_high"]) == (0, 0)
    assert lost.miou is not None
    loss = lost.figures["miou_loss"]
    assert loss == pytest.approx(lost.figures["float_miou"] - lost.miou)
    assert 0 < lost.figures["miou_loss_low"] < loss < lost.figures["miou_loss_high"]
    assert lost.per_class["car"] == 0


def test_fewer_answers_are_held_against_the_same_images_of_the_float_model(
    labelled: Recipe, masks: list[Map]
) -> None:
    reference = half_right(masks, 1)

    few = Truth(labelled, reference).accuracy(reference[:4])

    assert (few.images, few.figures["miou_loss"], few.interval) == (4, 0, None)
    assert "miou_loss_low" not in few.figures


def test_a_small_answer_is_enlarged_to_where_its_pixels_lie() -> None:
    ids = np.array([[0, 1], [2, 3]], np.int32)

    assert enlarged(ids, (4, 4)).tolist() == [
        [0, 0, 1, 1],
        [0, 0, 1, 1],
        [2, 2, 3, 3],
        [2, 2, 3, 3],
    ]
    assert enlarged(ids, (2, 2)).tolist() == ids.tolist()
    assert enlarged(ids, (3, 5)).tolist()[0] == [0, 0, 1, 1, 1]


def test_answers_have_one_name_where_every_bit_is_the_same() -> None:
    answers = maps(4)
    other = [one.copy() for one in answers]
    assert answers_sha256(answers) == answers_sha256(other)

    other[-1][0, 0] ^= 1

    assert answers_sha256(answers) != answers_sha256(other)
    assert answers_sha256(answers) != answers_sha256([one.astype(np.int64) for one in answers])
    assert answers_sha256(answers) != answers_sha256([one.T for one in answers])
    assert answers_sha256(answers) != answers_sha256(answers[::-1])


def test_answers_in_another_order_of_memory_are_the_same() -> None:
    answers = maps(4)

    assert answers_sha256([np.asfortranarray(one) for one in answers]) == answers_sha256(answers)


def test_what_a_run_keeps_of_this_host_can_be_read_again(
    labelled: Recipe, masks: list[Map]
) -> None:
    reference, said = half_right(masks, 1), tuple(half_right(masks, 2)[:4])
    truth = Truth(labelled, reference)

    kept = host_accuracy(labelled, ["a"], reference, Simulator(said, 0.99, True), truth)

    simulator, host = kept["pulsar2_run"], kept["float"]
    assert isinstance(simulator, dict)
    assert isinstance(host, dict)
    assert read_agreement(simulator["agreement"]) == agreement_with(reference, said, labelled)
    assert read_agreement(simulator["accuracy"]) == truth.accuracy(said)
    assert read_agreement(host["accuracy"]) == truth.float_accuracy
    assert (simulator["images"], simulator["simulated"], host["images"]) == (4, True, 12)
