"""What a model is for: how its output is read, compared and drawn. One module for each task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import Agreement, Recipe
from orchestrator.tasks import semantic_segmentation

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

    def paint(self, answer: Answer, recipe: Recipe) -> NDArray[np.uint8]:
        """Draw an answer, (h, w, 3) RGB, at its own size."""

    def differs(self, reference: Answer, other: Answer) -> NDArray[np.float32]:
        """Give how far two answers are apart, (h, w), 0..1, at their own size."""


_TASKS: dict[str, TaskModule] = {"semantic-segmentation": semantic_segmentation}


def task_of(recipe: Recipe) -> TaskModule:
    """Give what a recipe's model is for."""
    return _TASKS[recipe.checkpoint.task]


def output_name(recipe: Recipe) -> str:
    """Name the output that is the model's answer, on the host and on a board."""
    return recipe.export.output_name if recipe.head.op == "none" else recipe.head.output_name
