"""How far a board's latency is from itself from night to night, when nothing has changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.domain import Figures
from orchestrator.judging.location import Floats, centres, spread

#: Fewer nights than these say nothing of the noise between nights.
_ENOUGH_NIGHTS = 3
#: Weight of the other boards' noise against a board's own, in nights.
_SHARED_NIGHTS = 10.0
#: A location by pairwise means scatters by so much more than the mean, in variance.
_INEFFICIENCY = 1.05


@dataclass(frozen=True, slots=True)
class Series:
    """A board's nights as logarithms of ms, newest first; `tonight` is not among `before`."""

    board: str
    tonight: float
    before: Floats
    rounds: Floats
    baseline: float

    @property
    def change(self) -> float:
        """The change against the baseline, as a difference of logarithms."""
        return self.tonight - self.baseline


def series_of(tonight: Sequence[Figures], before: Sequence[Figures]) -> list[Series]:
    """Give the boards that can be compared; both are usable figures, simulated ones apart."""
    nights: dict[tuple[str, bool], list[float]] = {}
    for one, value in zip(before, centres([_rounds(one) for one in before]), strict=True):
        nights.setdefault((one.board, one.simulated), []).append(float(value))
    boards = [one for one in tonight if (one.board, one.simulated) in nights]
    rounds = [_rounds(one) for one in boards]
    earlier = [np.asarray(nights[one.board, one.simulated]) for one in boards]
    together = zip(boards, centres(rounds), earlier, rounds, centres(earlier), strict=True)
    return [
        Series(one.board, float(now), past, own, float(was))
        for one, now, past, own, was in together
    ]


def _rounds(figures: Figures) -> Floats:
    """Give the logarithms of a night's rounds, in ms."""
    return np.log(np.asarray(figures.rounds_ms or (figures.p50_ms,), dtype=np.float64))


def noise_of(series: Sequence[Series]) -> Mapping[str, float]:
    """Give the standard deviation of each board's change when nothing has changed.

    Night to night where there are enough nights, the boards' noise taken together with each one's
    own; else from the rounds of tonight, which do not see what differs between nights.
    """
    within = spread(_of_rounds(series))
    long = [one for one in series if len(one.before) >= _ENOUGH_NIGHTS]
    nights = min((len(one.before) for one in long), default=0)
    shared = 0.0
    own: dict[str, float] = {}
    if long:
        table = np.stack([one.before[:nights] - one.baseline for one in long])
        if len(long) > 2:  # noqa: PLR2004 - what all boards have in common is no board's noise
            table = table - np.median(table, axis=0)
        shared = spread(table.ravel(), 1 / nights)
        own = {one.board: spread(row, 1 / nights) for one, row in zip(long, table, strict=True)}
    found = {}
    for one in series:
        count = len(one.before)
        rounds = within / np.sqrt(max(len(one.rounds), 1)) * np.sqrt(_INEFFICIENCY)
        night = max(shared, rounds)
        if one.board in own:
            both = count * own[one.board] ** 2 + _SHARED_NIGHTS * night**2
            night = max(night, float(np.sqrt(both / (count + _SHARED_NIGHTS))))
        found[one.board] = float(night * np.sqrt(1 + _INEFFICIENCY / count))
    return found


def _of_rounds(series: Sequence[Series]) -> Floats:
    """Give how far rounds are from the middle of their night, of all boards."""
    several = [one for one in series if len(one.rounds) > 1]
    middles = centres([one.rounds for one in several])
    parts = [
        (one.rounds - middle) * np.sqrt(len(one.rounds) / (len(one.rounds) - 1))
        for one, middle in zip(several, middles, strict=True)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)
