"""What each task reads, compares and draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from orchestrator.domain import Recipe, Task
from orchestrator.tasks import Answer, task_of
from orchestrator.tasks.image_feature_extraction import grid_of

TASKS: tuple[Task, ...] = ("image-classification", "depth-estimation", "image-feature-extraction")


def for_task(recipe: Recipe, task: Task) -> Recipe:
    """The small recipe, 8x16, for another task and without classes."""
    checkpoint = replace(recipe.checkpoint, task=task)
    return replace(recipe, checkpoint=checkpoint, classes=(), palette=())


def output_of(task: Task, seed: int = 0) -> Answer:
    """An output as a network has it: 10 scores, 4x8 depths, a class token and 2x4 patches."""
    shapes: dict[str, tuple[int, ...]] = {
        "image-classification": (1, 10),
        "depth-estimation": (1, 4, 8),
        "image-feature-extraction": (1, 9, 6),
    }
    noise = np.random.default_rng(seed).normal(5, 1, shapes[task])
    return noise.astype(np.float32)


@pytest.mark.parametrize("task", TASKS)
def test_an_answer_agrees_with_itself_and_not_with_noise(recipe: Recipe, task: Task) -> None:
    mine = for_task(recipe, task)
    module = task_of(mine)
    first = module.answer(output_of(task), mine)
    centred = first - first.mean()

    same = module.compare([first, first], [first, first], mine)
    turned = module.compare([centred], [-centred], mine)

    assert same.share == pytest.approx(1)
    assert (same.images, same.miou, len(same.per_image)) == (2, None, 2)
    assert turned.share < same.share
    assert module.differs(first, first, mine).max() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_what_is_no_number_agrees_with_nothing_and_leaves_no_nan(
    recipe: Recipe, task: Task
) -> None:
    mine = for_task(recipe, task)
    module = task_of(mine)
    first = module.answer(output_of(task), mine)
    broken = np.full_like(first, np.nan)

    found = module.compare([first], [broken], mine)

    assert found.share == 0
    assert all(np.isfinite(value) for value in found.figures.values())
    assert np.isfinite(module.differs(first, broken, mine)).all()
    assert module.paint(broken, mine, first).dtype == np.uint8


@pytest.mark.parametrize("task", TASKS)
def test_pictures_are_in_the_colours_of_the_reference(recipe: Recipe, task: Task) -> None:
    mine = for_task(recipe, task)
    module = task_of(mine)
    first = module.answer(output_of(task), mine)

    assert (module.paint(first, mine) == module.paint(first, mine, first)).all()
    assert module.paint(first, mine).shape[2] == 3


@pytest.mark.parametrize("task", TASKS)
def test_ten_images_give_the_agreement_an_interval(recipe: Recipe, task: Task) -> None:
    mine = for_task(recipe, task)
    module = task_of(mine)
    first = module.answer(output_of(task), mine)
    others = [first if place % 2 else np.full_like(first, np.nan) for place in range(10)]

    found = module.compare([first] * 10, others, mine)

    assert module.compare([first] * 9, others[:9], mine).interval is None
    assert found.interval is not None
    assert found.interval[0] < found.share < found.interval[1]


def test_the_scale_and_shift_of_relative_depth_do_not_count(recipe: Recipe) -> None:
    mine = for_task(recipe, "depth-estimation")
    depth = np.linspace(1, 9, 32, dtype=np.float32).reshape(4, 8)

    found = task_of(mine).compare([depth], [depth * 3 + 7], mine)

    assert found.share == 1
    assert found.figures["correlation"] == pytest.approx(1)
    assert found.figures["abs_rel"] == pytest.approx(0, abs=1e-5)


def test_top5_counts_what_top1_misses(recipe: Recipe) -> None:
    mine = for_task(recipe, "image-classification")
    first = np.array([9, 8, 0, 0, 0, 0, 0], np.float32)
    second = np.array([8, 9, 0, 0, 0, 0, 0], np.float32)

    found = task_of(mine).compare([first], [second], mine)

    assert (found.share, found.figures["top5"]) == (0, 1)


@pytest.mark.parametrize(
    ("tokens", "height", "width", "grid"),
    [
        (1370, 518, 518, (37, 37, 1)),
        (1374, 518, 518, (37, 37, 5)),
        (197, 224, 224, (14, 14, 1)),
        (196, 224, 224, (14, 14, 0)),
        (49, 224, 224, (7, 7, 0)),
        (25, 56, 84, (4, 6, 1)),
    ],
)
def test_the_grid_of_patches_follows_from_the_size(
    tokens: int, height: int, width: int, grid: tuple[int, int, int]
) -> None:
    assert grid_of(tokens, height, width) == grid


@pytest.mark.parametrize(
    ("task", "shape"),
    [
        ("image-classification", (1, 10, 4, 4)),
        ("depth-estimation", (1, 10)),
        ("depth-estimation", (1, 2, 4, 8)),
        ("image-feature-extraction", (1, 6)),
        ("image-feature-extraction", (2, 9, 6)),
    ],
)
def test_an_output_of_another_shape_is_no_answer(
    recipe: Recipe, task: Task, shape: tuple[int, ...]
) -> None:
    mine = for_task(recipe, task)

    with pytest.raises(ValueError, match=r"are not|is not|is neither"):
        task_of(mine).answer(np.zeros(shape, np.float32), mine)
