"""What a request wants to run at the same time as its model."""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

from board_agent import request

#: So many processes at once, the first with them; each has a session and its memory.
MOST = 8
#: A mask of the three cores.
_MOST_MASK = 7


class Beside(NamedTuple):
    """Nothing, unless it was asked for.

    Attributes:
        affinities: for `tool`, one mask of NPU cores per process; none: a single one, unbound.
        others: for `contend`, the release of each other process; None is that of the request.
    """

    affinities: Sequence[int] = ()
    others: Sequence[str | None] = ()


def read_beside(asked: dict[str, Any]) -> Beside:
    """Check what is asked for; kinds that have neither field get nothing."""
    if asked["kind"] == "tool":
        return Beside(affinities=[_mask(one) for one in _list(asked, "affinities", MOST)])
    if asked["kind"] != "contend":
        return Beside()
    others = _list(asked, "others", MOST - 1)
    if not others:
        raise request.refuse("others is empty: one process has nobody to contend with")
    return Beside(
        others=[request.optional({"others": one}, "others", request.ID) for one in others]
    )


def _list(asked: dict[str, Any], key: str, most: int) -> list[Any]:
    value = asked.get(key, [])
    if not isinstance(value, list) or len(value) > most:
        raise request.refuse(f"{key} is {value!r:.200}, not a list of at most {most}")
    return value


def _mask(value: object) -> int:
    mask = request.count({"affinities": value}, "affinities", 1)
    if mask > _MOST_MASK:
        raise request.refuse(f"affinities has {mask}, a mask is from 1 to {_MOST_MASK}")
    return mask
