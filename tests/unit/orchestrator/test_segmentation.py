from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from orchestrator.segmentation import agreement, class_map, confusion

CLASSES = 5
Map = NDArray[np.int32]


def random_maps(seed: int, images: int) -> list[Map]:
    """Maps with ids that are no class, on both sides."""
    random = np.random.default_rng(seed)
    return [random.integers(-2, CLASSES + 3, (6, 7), dtype=np.int32) for _ in range(images)]


def slow_miou(references: list[Map], others: list[Map]) -> float:
    """Mean over the classes that occur of |both| / |either|, pixel by pixel."""
    shares = []
    for wanted in range(CLASSES):
        both = either = 0
        for reference, other in zip(references, others, strict=True):
            for first, second in zip(reference.flat, other.flat, strict=True):
                both += first == wanted and second == wanted
                either += wanted in {first, second}
        if either:
            shares.append(both / either)
    return sum(shares) / len(shares)


def slow_share(references: list[Map], others: list[Map]) -> float:
    same = total = 0
    for reference, other in zip(references, others, strict=True):
        for first, second in zip(reference.flat, other.flat, strict=True):
            same += first == second
            total += 1
    return same / total


@pytest.mark.parametrize("seed", range(10))
def test_agreement_is_that_of_plain_loops(seed: int) -> None:
    references, others = random_maps(seed, 3), random_maps(seed + 100, 3)

    found = agreement(references, others, CLASSES)

    assert found.miou == pytest.approx(slow_miou(references, others))
    assert found.share == pytest.approx(slow_share(references, others))
    assert found.images == 3
    for index, share in enumerate(found.per_image):
        alone = slow_share([references[index]], [others[index]])
        assert share == pytest.approx(alone)


def test_equal_maps_agree_wholly_whatever_classes_are_missing() -> None:
    maps = [np.array([[0, 0], [3, 3]], dtype=np.int32)]

    found = agreement(maps, maps, CLASSES)

    assert (found.share, found.miou) == (1, 1)


def test_pixels_count_alike_in_images_of_different_sizes() -> None:
    references: list[Map] = [np.zeros((1, 1), np.int32), np.zeros((3, 3), np.int32)]
    others: list[Map] = [np.ones((1, 1), np.int32), np.zeros((3, 3), np.int32)]

    assert agreement(references, others, CLASSES).share == pytest.approx(0.9)


def test_ids_that_are_no_class_are_counted_apart() -> None:
    counts = confusion(np.array([[-1, 9, 1]]), np.array([[1, 1, 255]]), 2)

    assert counts.tolist() == [[0, 0, 0], [0, 0, 1], [0, 2, 0]]


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32"])
def test_class_ids_of_any_type_become_a_map(dtype: str) -> None:
    ids = np.arange(6).reshape(1, 1, 2, 3).astype(dtype)

    assert class_map(ids, 1).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_logits_become_the_class_of_the_largest() -> None:
    logits = np.zeros((1, 3, 2, 2), dtype=np.float32)
    logits[0, 2, 0, 1] = 1
    logits[0, 1, 1, 0] = 1

    assert class_map(logits, 1).tolist() == [[0, 2], [1, 0]]


@pytest.mark.parametrize(("axis", "shape"), [(2, (3, 2)), (3, (12, 1))])
def test_a_head_over_another_axis_is_compared_all_the_same(
    axis: int, shape: tuple[int, int]
) -> None:
    logits = np.random.default_rng(0).random((1, 3, 4, 2), dtype=np.float32)
    ids = logits.argmax(axis=axis, keepdims=True).astype(np.int32)

    assert class_map(ids, axis).shape == shape
    assert (class_map(ids, axis) == class_map(logits, axis)).all()
