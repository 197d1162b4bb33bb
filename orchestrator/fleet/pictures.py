"""Pictures of what boards said, beside what the float model said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from orchestrator.domain import BoardOutcome, Recipe
from orchestrator.fleet.visits import Visit, Visited
from orchestrator.images import NamedImage
from orchestrator.pictures.contact import (
    MOST_IMAGES,
    Row,
    cell_size,
    worst_boards,
    write_contact_sheet,
)
from orchestrator.pictures.panels import heat, largest, painted, plain, shown_size
from orchestrator.pictures.sheet import Entry, Panel, write_sheet
from orchestrator.release import evaluation_images
from orchestrator.tasks import Answer, task_of

#: How many evaluation images are drawn side by side for each board, the worst first.
OVERLAYS = 3
#: Among how many of the first evaluation images the worst are looked for.
_SEEN = 24
_MOST_ENTRIES = 24
_MOST_NAME = 80

Pixels = NDArray[np.uint8]


def images_to_draw(recipe: Recipe) -> tuple[NamedImage, ...]:
    """Give the evaluation images that pictures are made of."""
    return tuple(evaluation_images(recipe, _SEEN))


def draw(one: Visited, visit: Visit, images: Sequence[NamedImage], folder: Path) -> BoardOutcome:
    """Draw a board's worst images, and all in small; name the sheets, below `folder`, in it.

    The small ones, in `thumbs/`, are what the run's contact sheet is made of.
    """
    outcome, recipe = one.outcome, visit.recipe
    if outcome.agreement is None or not one.answers or not images:
        return outcome
    shares = outcome.agreement.per_image
    trios = list(zip(images, visit.reference, one.answers, strict=False))
    order = sorted(range(len(trios)), key=lambda number: (shares[number], number))
    paths: list[str] = []
    for number in order[:OVERLAYS]:
        image = trios[number][0]
        name = f"{len(paths) + 1:02d}-{image.name[:_MOST_NAME]}.png"
        path = folder / "overlays" / outcome.board / name
        _write(path, outcome.title, recipe, trios[number])
        paths.append(str(path.relative_to(folder)))
    small = [_small(recipe, image, found, reference) for image, reference, found in trios]
    thumbs = _thumbs(folder, outcome.board)
    thumbs.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(small)).save(thumbs)
    return replace(outcome, overlays=tuple(paths))


def draw_contact_sheet(
    outcomes: Sequence[BoardOutcome], visit: Visit, images: Sequence[NamedImage], folder: Path
) -> Path | None:
    """Draw what all boards of a run said, the worst image first; None where none said anything."""
    recipe = visit.recipe
    shares = {
        one.board: one.agreement.per_image[: len(images)]
        for one in outcomes
        if one.agreement is not None and _thumbs(folder, one.board).is_file()
    }
    if not shares or not images:
        return None
    boards = worst_boards(shares)
    strips = {board: _read(_thumbs(folder, board), len(images)) for board in boards}
    worst = {number: [one[number] for one in shares.values()] for number in range(len(images))}
    order = sorted(worst, key=lambda number: (min(worst[number]), sum(worst[number]), number))
    rows = [
        _row(recipe, images[number], visit.reference[number], number, shares, strips)
        for number in order[:MOST_IMAGES]
    ]
    honest = " (simulated)" if any(one.simulated for one in outcomes) else ""
    title = (
        f"{recipe.name}: {_some(len(boards), len(shares), 'boards')}{honest}, "
        f"{_some(len(rows), len(images), 'images')}, the worst first"
    )
    path = folder / "contact-sheet.png"
    write_contact_sheet(path, title, rows, boards)
    return path


def _write(path: Path, board: str, recipe: Recipe, trio: tuple[NamedImage, Answer, Answer]) -> None:
    """Write the sheet of one image: input, float model, board, and where the two differ."""
    image, reference, found = trio
    height, width = image.pixels.shape[:2]
    size = shown_size(height, width)
    views = [_painted(recipe, image, answer, reference, size) for answer in (reference, found)]
    differs = task_of(recipe).differs(reference, found, recipe)
    most = largest(differs)
    panels = (
        Panel("input", plain(image.pixels, size)),
        Panel("float ONNX", views[0]),
        Panel(board, views[1]),
        Panel(f"difference: {differs.mean():.2%}", heat(image.pixels, differs, size), most),
    )
    write_sheet(path, f"{image.name} on {board}", panels, _legend(recipe, reference, found))


def _painted(
    recipe: Recipe, image: NamedImage, answer: Answer, reference: Answer, size: tuple[int, int]
) -> Pixels:
    """Paint an answer; classes of pixels over the image, everything else by itself."""
    task = recipe.checkpoint.task
    if task == "image-classification":  # drawn in words: at the size they are read in
        shape = (*recipe.export.shape[:2], size[1], size[0])
        recipe = replace(recipe, export=replace(recipe.export, shape=shape))
    picture = task_of(recipe).paint(answer, recipe, reference)
    return painted(image.pixels, picture, size, over=task == "semantic-segmentation")


def _legend(recipe: Recipe, reference: Answer, found: Answer) -> list[Entry]:
    """Name the classes that occur, with the board's share of each, the largest first."""
    if recipe.checkpoint.task != "semantic-segmentation":
        return []
    counts = {int(one): 0.0 for one in np.unique(reference)}
    ids, sizes = np.unique(found, return_counts=True)
    counts |= {int(one): float(size) / found.size for one, size in zip(ids, sizes, strict=True)}
    order = sorted(counts, key=lambda one: (-counts[one], one))
    known = [one for one in order if 0 <= one < len(recipe.classes)]
    entries = [
        Entry(recipe.palette[one], recipe.classes[one], counts[one])
        for one in known[:_MOST_ENTRIES]
    ]
    strange = [one for one in order if one not in known]
    more = known[_MOST_ENTRIES:]
    for rest, label in ((more, f"{len(more)} more"), (strange, "ids of no class")):
        if rest:
            entries.append(Entry((0, 0, 0), label, sum(counts[one] for one in rest)))
    return entries


def _row(
    recipe: Recipe,
    image: NamedImage,
    reference: Answer,
    number: int,
    shares: Mapping[str, Sequence[float]],
    strips: Mapping[str, Sequence[Pixels]],
) -> Row:
    size = cell_size(*image.pixels.shape[:2])
    over = recipe.checkpoint.task == "semantic-segmentation"
    small = _small(recipe, image, reference, reference)
    return Row(
        image.name,
        (plain(image.pixels, size), painted(image.pixels, small, size, over=over)),
        {
            board: painted(image.pixels, strip[number], size, over=over)
            for board, strip in strips.items()
        },
        {board: shares[board][number] for board in strips},
    )


def _small(recipe: Recipe, image: NamedImage, answer: Answer, reference: Answer) -> Pixels:
    """Paint an answer by itself in a contact sheet's size."""
    picture = task_of(recipe).paint(answer, recipe, reference)
    return painted(image.pixels, picture, cell_size(*image.pixels.shape[:2]), over=False)


def _thumbs(folder: Path, board: str) -> Path:
    return folder / "thumbs" / f"{board}.png"


def _read(path: Path, images: int) -> list[Pixels]:
    """Cut a file of `thumbs/` into its pictures."""
    with Image.open(path) as strip:
        return np.split(np.asarray(strip.convert("RGB"), dtype=np.uint8), images)


def _some(shown: int, all_of_them: int, of_what: str) -> str:
    return f"{shown} of {all_of_them} {of_what}" if shown < all_of_them else f"{shown} {of_what}"
