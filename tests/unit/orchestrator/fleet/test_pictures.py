from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from orchestrator.agents import load_agents
from orchestrator.boards.need import Need
from orchestrator.domain import Artifact, BoardOutcome, Recipe, Release, Target, Task
from orchestrator.fleet.pictures import draw, draw_contact_sheet, images_to_draw
from orchestrator.fleet.visits import Visit, Visited
from orchestrator.tasks import Answer, task_of

SIZE = (128, 256)
IMAGES = 5


@pytest.fixture
def many(recipe: Recipe) -> Recipe:
    export = replace(recipe.export, shape=(1, 3, *SIZE))
    return replace(recipe, export=export, evaluation=replace(recipe.evaluation, count=IMAGES))


def visit(recipe: Recipe, reference: Sequence[Answer]) -> Visit:
    release = Release(
        "r", {"m": Artifact("0" * 64, 1, "m")}, Target("AX650", "NPU3"), "5.2", True, ()
    )
    return Visit(recipe, release, tuple(reference), (), load_agents(), "run", "o", False, 1, Need())


def said(
    recipe: Recipe, board: str, reference: Sequence[Answer], answers: Sequence[Answer]
) -> Visited:
    agreed = task_of(recipe).compare(reference, answers, recipe)
    return Visited(BoardOutcome(board, True, {}, agreement=agreed), tuple(answers))


def road(wrong: int) -> NDArray[np.int32]:
    """A map of road, with so many pixels of car."""
    found = np.zeros((32, 64), np.int32)
    found.ravel()[:wrong] = 2
    return found


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return cast("NDArray[np.uint8]", np.asarray(image.convert("RGB")))


def test_the_worst_images_of_a_board_are_drawn_the_worst_first(
    many: Recipe, tmp_path: Path
) -> None:
    images, reference = images_to_draw(many), [road(0)] * IMAGES
    one = said(many, "b1", reference, [road(wrong) for wrong in (3, 900, 0, 50, 7)])

    outcome = draw(one, visit(many, reference), images, tmp_path)

    assert [Path(path).name for path in outcome.overlays] == [
        f"{place:02d}-{images[number].name}.png" for place, number in ((1, 1), (2, 3), (3, 4))
    ]
    assert all((tmp_path / path).is_file() for path in outcome.overlays)


def test_a_sheet_shows_the_colours_of_what_differs_and_of_the_legend(
    many: Recipe, tmp_path: Path
) -> None:
    images, reference = images_to_draw(many), [road(0)] * IMAGES
    answers = [road(1024), *reference[1:]]

    outcome = draw(said(many, "b1", reference, answers), visit(many, reference), images, tmp_path)

    sheet = pixels(tmp_path / outcome.overlays[0])
    assert (sheet == (255, 235, 110)).all(axis=-1).sum() >= 512 * 256 // 2
    assert (sheet == many.palette[2]).all(axis=-1).sum() > 50  # in the legend
    assert not (sheet == many.palette[1]).all(axis=-1).sum() > 50  # sky does not occur


def test_an_id_without_a_colour_does_not_stop_the_drawing(many: Recipe, tmp_path: Path) -> None:
    reference = [road(0)] * IMAGES
    answers = [road(0) + 99] * IMAGES

    one = said(many, "b1", reference, answers)
    outcome = draw(one, visit(many, reference), images_to_draw(many), tmp_path)

    assert len(outcome.overlays) == 3


def test_a_board_that_said_nothing_has_no_pictures(many: Recipe, tmp_path: Path) -> None:
    one, reference = Visited(BoardOutcome("b1", True, {})), [road(0)] * IMAGES
    asked = visit(many, reference)

    outcome = draw(one, asked, images_to_draw(many), tmp_path)

    assert outcome.overlays == ()
    assert draw_contact_sheet([outcome], asked, images_to_draw(many), tmp_path) is None
    assert not list(tmp_path.rglob("*.png"))


def test_the_contact_sheet_begins_with_the_worst_image_of_any_board(
    many: Recipe, tmp_path: Path
) -> None:
    images, reference = images_to_draw(many), [road(0)] * IMAGES
    asked = visit(many, reference)
    worst = [road(0), road(0), road(2048), road(0), road(0)]
    outcomes = [
        draw(said(many, board, reference, answers), asked, images, tmp_path)
        for board, answers in (("b1", reference), ("b2", worst))
    ]

    path = draw_contact_sheet(outcomes, asked, images, tmp_path)

    assert path == tmp_path / "contact-sheet.png"
    # Rows of 144 px below a head of 40; columns of 244 px: input, float, b1, b2. Car is blue.
    sheet = pixels(path).astype(int)
    blue = (sheet[..., 2] - sheet[..., 0])[40:160]
    assert (blue[:, 740:970] > blue[:, 496:726]).all()


def test_all_tasks_can_be_drawn(many: Recipe, tmp_path: Path) -> None:
    dice = np.random.default_rng(0)
    answers: dict[Task, list[Answer]] = {
        "image-classification": [dice.normal(size=3).astype(np.float32) for _ in range(IMAGES)],
        "depth-estimation": [dice.random((32, 64), dtype=np.float32) for _ in range(IMAGES)],
        "image-feature-extraction": [
            dice.normal(size=(1 + 8 * 16, 8)).astype(np.float32) for _ in range(IMAGES)
        ],
    }
    for task, reference in answers.items():
        recipe = replace(many, checkpoint=replace(many.checkpoint, task=task))
        images, asked = images_to_draw(recipe), visit(recipe, reference)
        found = [
            one.astype(np.float32) + np.float32(0.1) * dice.random(one.shape, np.float32)
            for one in reference
        ]

        outcome = draw(said(recipe, "b1", reference, found), asked, images, tmp_path / task)

        assert len(outcome.overlays) == 3
        assert draw_contact_sheet([outcome], asked, images, tmp_path / task) is not None


def test_a_large_evaluation_set_is_not_loaded_whole_for_pictures(many: Recipe) -> None:
    large = replace(many, evaluation=replace(many.evaluation, count=100_000))

    assert (
        len(images_to_draw(replace(large, export=replace(large.export, shape=(1, 3, 8, 16))))) == 24
    )
