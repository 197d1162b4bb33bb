"""Pictures of what a board said, beside what the float model said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.domain import BoardOutcome
from orchestrator.fleet.visiting import Visit, Visited
from orchestrator.images import NamedImage
from orchestrator.segmentation import write_overlay
from orchestrator.tasks import task_of

#: How many evaluation images are drawn side by side for each board.
OVERLAYS = 3


def draw(one: Visited, visit: Visit, images: Sequence[NamedImage], folder: Path) -> BoardOutcome:
    """Draw the first images as a board saw them, below `folder`; name the files in its outcome."""
    board, paths, recipe = one.outcome.board, [], visit.recipe
    task = task_of(recipe)
    trios = zip(images[:OVERLAYS], visit.reference, one.answers, strict=False)
    for number, (image, reference, found) in enumerate(trios, start=1):
        path = folder / "overlays" / board / f"{number:02d}-{image.name}.png"
        share = task.compare([reference], [found], recipe).share
        captions = (image.name, "float ONNX", board, f"differs: {1 - share:.2%}")
        painted = (task.paint(reference, recipe), task.paint(found, recipe))
        write_overlay(path, image.pixels, *painted, task.differs(reference, found), captions)
        paths.append(str(path.relative_to(folder)))
    return replace(one.outcome, overlays=tuple(paths))
