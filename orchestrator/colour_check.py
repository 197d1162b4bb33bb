"""Whether recipe and compiled model mean the same order of colours and the same memory layout.

A picture whose channels cannot be confused is fed as the recipe says, with red and blue swapped,
with planes in place of interleaved pixels, and with both; what comes nearest to the float model's
answer is how the compiled model wants it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import Json, Preprocess, Recipe
from orchestrator.images import normalise, runtime_input
from orchestrator.tasks import Answer, task_of

Feed = Literal["as told", "channels swapped", "layout swapped", "both swapped"]
FEEDS: tuple[Feed, ...] = ("as told", "channels swapped", "layout swapped", "both swapped")

#: A model whose float answers differ by less on a swapped picture is blind to the swap.
_LEAST_GAP = 0.03
#: Nearer than the other way alone is not right: it has to come so far towards the right answer.
_MOST_OF = 0.75
_PATCHES = 8
_COLOURS = (
    *((255, 0, 0), (0, 0, 255), (0, 255, 0), (255, 255, 0), (0, 255, 255), (255, 0, 255)),
    *((230, 120, 20), (20, 120, 230), (140, 70, 20), (40, 90, 160), (255, 255, 255), (0, 0, 0)),
)


@dataclass(frozen=True, slots=True)
class Colours:
    """What one maker's answers say of how it wants to be fed.

    Attributes:
        maker: `pulsar2 run`, or a board.
        best: the feed that fits best; None: one cannot tell.
        alike: by feed, how alike the answers are to the float model's, 0..1.
        blind: feeds that the float model itself hardly tells from the right one.
    """

    maker: str
    best: Feed | None
    alike: Mapping[Feed, float]
    blind: tuple[str, ...]


def coded_picture(height: int, width: int) -> NDArray[np.uint8]:
    """Draw patches of pure and mixed colours over a slope of brightness, (height, width, 3) RGB.

    No mirroring, turning or reordering of it looks like the picture itself.
    """
    rows = np.arange(height) * _PATCHES // height
    columns = np.arange(width) * 2 * _PATCHES // width
    chosen = (rows[:, None] * 5 + columns[None, :] * 7) % len(_COLOURS)
    patches = np.array(_COLOURS, dtype=np.float64)[chosen]
    slope = (
        0.55
        + 0.45 * (np.arange(width) / width)[None, :] * (1 - np.arange(height) / height)[:, None]
    )
    shaded: NDArray[np.uint8] = (patches * slope[..., None]).round().astype(np.uint8)
    return shaded


def feeds(pixels: NDArray[np.uint8], how: Preprocess) -> dict[Feed, NDArray[np.uint8]]:
    """Give the bytes of a picture in each way in which a model may want them."""
    told = runtime_input(pixels, how)
    swapped = np.ascontiguousarray(told[..., ::-1])
    return {
        "as told": told,
        "channels swapped": swapped,
        "layout swapped": _planes(told),
        "both swapped": _planes(swapped),
    }


def _planes(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give the bytes of (1, 3, H, W) in the shape (1, H, W, 3), as one who takes it for that."""
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).reshape(pixels.shape)


def float_feeds(
    pictures: Sequence[NDArray[np.uint8]], trained: Preprocess
) -> list[list[NDArray[np.float32]]]:
    """Give what the float model is fed for each of FEEDS and each picture: (1, 3, H, W).

    `as told` is here as `trained` says: as the model was trained, whatever the recipe says.
    """
    rgb = replace(trained, colour="RGB")
    return [[normalise(feeds(one, trained)[feed][0], rgb) for one in pictures] for feed in FEEDS]


def gaps(expected: Sequence[Sequence[Answer]], recipe: Recipe) -> dict[Feed, float]:
    """Say how far the float model's answers are from the right ones for each way but the first."""
    compare = task_of(recipe).compare
    pairs = zip(FEEDS[1:], expected[1:], strict=True)
    return {feed: 1 - compare(expected[0], answers, recipe).share for feed, answers in pairs}


def judge_colours(
    maker: str,
    right: Sequence[Answer],
    found: Mapping[Feed, Sequence[Answer]],
    apart: Mapping[Feed, float],
    recipe: Recipe,
) -> Colours:
    """Say which way of feeding fits.

    A way is told from the one in the recipe when it is nearer or farther by half of what the float
    model makes of the swap; quantization alone does not do that.

    Args:
        maker: who gave the answers.
        right: what the float model says of the pictures.
        found: the maker's answers by the way it was fed.
        apart: as `gaps` gives it.
        recipe: says how answers are compared.
    """
    compare = task_of(recipe).compare
    alike: dict[Feed, float] = {
        feed: compare(right, answers, recipe).share for feed, answers in found.items()
    }
    blind = tuple(feed for feed, gap in apart.items() if gap < _LEAST_GAP)
    seen = [feed for feed in FEEDS[1:] if feed not in blind]
    told = alike["as told"]
    nearer = [
        one
        for one in seen
        if alike[one] - told > apart[one] / 2 and alike[one] > 1 - _MOST_OF * apart[one]
    ]
    farther = all(told - alike[one] > apart[one] / 2 for one in seen)
    best: Feed | None = None
    if nearer:
        nearest: Feed = max(nearer, key=lambda one: alike[one])
        best = nearest
    elif "channels swapped" in seen and farther:
        best = "as told"
    return Colours(maker, best, alike, blind)


def idle_formats(config: Mapping[str, Json]) -> list[str]:
    """Say which of a build config's colour orders the toolchain takes and does nothing with.

    Pulsar2 converts YUV, never RGB to BGR or back (its precision debugging guide).
    """
    rows = config.get("input_processors")
    found = []
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict):
            told = {str(row.get("src_format")), str(row.get("tensor_format"))}
            if told == {"RGB", "BGR"}:
                found.append(
                    f"input_processors: src_format {row['src_format']} and tensor_format "
                    f"{row['tensor_format']}: Pulsar2 does not swap red and blue, boards are fed "
                    "what preprocess.colour says"
                )
    return found


def explain(one: Colours, recipe: Recipe, trained: Preprocess) -> tuple[str, str]:
    """Give the finding in words, and what to try; nothing where all is well."""
    numbers = ", ".join(f"{feed} {share:.1%}" for feed, share in one.alike.items())
    alike = f"alike to the float model: {numbers}"
    if one.best == "as told":
        return f"{one.maker}: colours and layout are as the recipe says; {alike}", ""
    if one.best is None:
        why = f"the model is blind to: {', '.join(one.blind)}" if one.blind else "none fits well"
        hint = "give pictures in which colours matter: --images DIR" if one.blind else ""
        return f"{one.maker}: cannot tell, {why}; {alike}", hint
    swapped = {
        "channels swapped": "red and blue are swapped",
        "layout swapped": "NHWC and NCHW are swapped",
        "both swapped": "red and blue, and NHWC and NCHW, are swapped",
    }[one.best]
    return f"{one.maker}: {swapped} between recipe and model; {alike}", _cure(
        one.best, recipe, trained
    )


def _cure(best: Feed, recipe: Recipe, trained: Preprocess) -> str:
    if best == "channels swapped" and recipe.preprocess.colour != trained.colour:
        return f"the checkpoint was trained on {trained.colour}: preprocess.colour in the recipe"
    if "input_processors" in recipe.compile.pulsar2:
        keys = "src_format, tensor_format" if best == "channels swapped" else "src_layout"
        return f"look at {keys} under compile.pulsar2.input_processors in the recipe"
    if best == "channels swapped":
        return "is preprocess.colour the order that the model was trained on?"
    return "boards are fed NHWC: does the model take its input as NCHW floats (export.input)?"
