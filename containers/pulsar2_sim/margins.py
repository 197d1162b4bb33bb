"""`padding` and `slicing` of an input: what its run-time form has less and more of each axis."""

from collections.abc import Mapping
from dataclasses import dataclass

from .config import number, numbers, text
from .failure import ToolFailure
from .schema import Json


@dataclass(frozen=True, slots=True)
class Margins:
    """(start, end) of each axis of the model's input, none when empty.

    Attributes:
        padding: what is added to the run-time input, filled with `value`.
        slicing: what is cut off it, before the padding.
    """

    padding: tuple[tuple[int, int], ...] = ()
    slicing: tuple[tuple[int, int], ...] = ()
    value: int = 0

    def outer(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Give the run-time shape for that of the model's input."""
        none = ((0, 0),) * len(shape)
        pads, cuts = self.padding or none, self.slicing or none
        return tuple(
            size - sum(pad) + sum(cut) for size, pad, cut in zip(shape, pads, cuts, strict=True)
        )


NO_MARGINS = Margins()


def margins(name: str, entry: Mapping[str, Json]) -> Margins:
    """Give the margins of one entry of input_processors. Raises ToolFailure."""
    mode = text(entry, "padding_mode", "constant")
    if mode != "constant":
        raise ToolFailure("AssertionError", f"input [{name}]: padding_mode {mode} is not constant")
    return Margins(
        _by_axis(name, entry, "padding"),
        _by_axis(name, entry, "slicing"),
        number(entry, "padding_constant_value", 0),
    )


def check_margins(name: str, shape: tuple[int, ...], margins: Margins) -> None:
    """Refuse margins that do not fit the model's input. Raises ToolFailure."""
    for field, pairs in (("padding", margins.padding), ("slicing", margins.slicing)):
        if pairs and len(pairs) != len(shape):
            raise ToolFailure(
                "AssertionError",
                f"input [{name}]: {field} has {2 * len(pairs)} number(s), {len(shape)} axes take "
                f"{2 * len(shape)}",
            )
    outer = margins.outer(shape)
    if min(outer, default=1) < 1:
        raise ToolFailure(
            "AssertionError", f"input [{name}]: padding leaves {outer} of {shape} at run time"
        )


def _by_axis(name: str, entry: Mapping[str, Json], field: str) -> tuple[tuple[int, int], ...]:
    values = [int(value) for value in numbers(entry, field)]
    if len(values) % 2 or any(value < 0 for value in values):
        raise ToolFailure(
            "AssertionError", f"input [{name}]: {field} {values} is no start and end of each axis"
        )
    return tuple(zip(values[::2], values[1::2], strict=True))
