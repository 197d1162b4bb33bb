"""A series as a line of little bars, for terminals. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"
_PLAIN = ".:-=+*#%"
#: Less than this between lowest and highest is drawn flat, as a share.
_FLAT = 0.01


def bars(values: Sequence[float | None], width: int = 12, *, plain: bool = False) -> str:
    """Draw the last values; a night without one is a blank. `plain` for terminals without UTF-8."""
    shown = list(values)[-width:]
    known = [one for one in shown if one is not None]
    letters = _PLAIN if plain else _BARS
    if not known:
        return ""
    low, high = min(known), max(known)
    reach = max(high - low, _FLAT * abs(high), 1e-12)
    top = len(letters) - 1
    return "".join(
        " " if one is None else letters[min(top, int((one - low) / reach * top + 0.5))]
        for one in shown
    )
