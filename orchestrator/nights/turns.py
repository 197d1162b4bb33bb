"""Which recipe is measured when on a board: taking turns, in an order of its own. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random


def turns(
    recipes: Sequence[str], rounds: range, seed: str, board: str
) -> Iterator[tuple[int, str]]:
    """Give (round, recipe): in each round every recipe once, in an order that is drawn anew.

    What comes later on a warmer board is so not always the same recipe. The same seed and board
    give the same order, whatever was done before.
    """
    for number in rounds:
        order = list(recipes)
        Random(f"{seed}/{board}/{number}").shuffle(order)  # noqa: S311 - an order, no secret
        for recipe in order:
            yield number, recipe
