"""What a model is for: how its output is read, compared and drawn. One module for each task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import Agreement, Recipe, Task
from orchestrator.tasks import (
    depth_estimation,
    image_classification,
    image_feature_extraction,
    semantic_segmentation,
)

#: What a model says of one image, in the form that its task gives it.
Answer = NDArray[np.generic]


class TaskModule(Protocol):
    """What there is of every task."""

    def answer(self, output: NDArray[np.generic], recipe: Recipe) -> Answer:
        """Read the output tensor of one image. Raises ValueError, IndexError: it is another's."""

    def compare(
        self, references: Sequence[Answer], others: Sequence[Answer], recipe: Recipe
    ) -> Agreement:
        """Compare the answers to the same images, pair by pair; there is at least one."""

    def paint(
        self, answer: Answer, recipe: Recipe, reference: Answer | None = None
    ) -> NDArray[np.uint8]:
        """Draw an answer, (h, w, 3) RGB, at its own size.

        Args:
            answer: what is drawn.
            recipe: whose classes, colours and input size are used.
            reference: whose range of colours is used, so that two pictures can be compared; None:
                the answer's own.
        """

    def differs(self, reference: Answer, other: Answer, recipe: Recipe) -> NDArray[np.float32]:
        """Give how far two answers are apart, (h, w), 0..1, at their own size."""


_TASKS: dict[Task, TaskModule] = {
    "semantic-segmentation": semantic_segmentation,
    "image-classification": image_classification,
    "depth-estimation": depth_estimation,
    "image-feature-extraction": image_feature_extraction,
}


def task_of(recipe: Recipe) -> TaskModule:
    """Give what a recipe's model is for."""
    return _TASKS[recipe.checkpoint.task]


def output_name(recipe: Recipe) -> str:
    """Name the output that is the model's answer, on the host and on a board."""
    return recipe.export.output_name if recipe.head.op == "none" else recipe.head.output_name
