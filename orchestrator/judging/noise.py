"""How far a board's latency is from itself from night to night, when nothing has changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.domain import Figures
from orchestrator.judging.location import Floats, centres, spread

#: Fewer nights than these say nothing of the noise between nights.
ENOUGH_NIGHTS = 3
#: What nights are assumed to differ by until they are known: only large changes are believed.
_ASSUMED = 0.05
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


def noise_of(series: Sequence[Series]) -> dict[str, float]:
    """Give the standard deviation of each board's night, when nothing has changed.

    Night to night where there are enough nights, the boards' noise taken together with each one's
    own. Else from the rounds of tonight, which do not see what differs between nights: then some
    is assumed.
    """
    within = spread(_of_rounds(series))
    long = [one for one in series if len(one.before) >= ENOUGH_NIGHTS]
    shared, own = _between_nights(long) if long else (_ASSUMED, {})
    found = {}
    for one in series:
        rounds = within / np.sqrt(max(len(one.rounds), 1)) * np.sqrt(_INEFFICIENCY)
        night = max(shared, rounds)
        if one.board in own:
            count = len(one.before)
            both = count * own[one.board] ** 2 + _SHARED_NIGHTS * night**2
            night = max(night, float(np.sqrt(both / (count + _SHARED_NIGHTS))))
        found[one.board] = float(night)
    return found


def of_changes(series: Sequence[Series], nights: Mapping[str, float]) -> dict[str, float]:
    """Give the standard deviation of each board's change: of its night, and of its baseline."""
    typical = float(np.median(list(nights.values()))) if nights else _ASSUMED
    return {
        one.board: nights.get(one.board, typical)
        * float(np.sqrt(1 + _INEFFICIENCY / len(one.before)))
        for one in series
    }


def _between_nights(series: Sequence[Series]) -> tuple[float, dict[str, float]]:
    """Give the noise of all boards together, and of each, less what all have in common."""
    nights = min(len(one.before) for one in series)
    table = np.stack([one.before[:nights] - one.baseline for one in series])
    if len(series) > 2:  # noqa: PLR2004 - what all boards have in common is no board's noise
        table = table - np.median(table, axis=0)
    own = {one.board: spread(row, 1 / nights) for one, row in zip(series, table, strict=True)}
    return spread(table.ravel(), 1 / nights), own


def _of_rounds(series: Sequence[Series]) -> Floats:
    """Give how far rounds are from the middle of their night, of all boards."""
    several = [one for one in series if len(one.rounds) > 1]
    middles = centres([one.rounds for one in several])
    parts = [
        (one.rounds - middle) * np.sqrt(len(one.rounds) / (len(one.rounds) - 1))
        for one, middle in zip(several, middles, strict=True)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def is_known(series: Sequence[Series]) -> bool:
    """Say whether these nights tell how much they differ by themselves."""
    return any(len(one.before) >= ENOUGH_NIGHTS for one in series)
