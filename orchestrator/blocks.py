"""The steady state as blocks of samples, each with its median. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from orchestrator.domain import Measurement
from orchestrator.stats import percentile

#: Into how many a steady state is cut that came in one piece.
_CUT = 5
#: A median of fewer samples says little: neighbours are put together until they have so many.
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive samples; `first` and `last` are the agent's blocks it is made of, from 0 on."""

    first: int
    last: int
    p50_ns: int
    p90_ns: int

    @property
    def name(self) -> str:
        """What people call it; they count from 1 on."""
        if self.first == self.last:
            return f"block {self.first + 1}"
        return f"blocks {self.first + 1} to {self.last + 1}"


def blocks(measurement: Measurement) -> list[Block]:
    """Give the blocks of the steady state, in order; empty where there are no samples."""
    samples, sizes = measurement.samples_ns, measurement.block_sizes
    if not sizes or min(sizes) < 1 or sum(sizes) != len(samples):
        sizes = _cut(len(samples))
    edges = [0, *accumulate(sizes)]
    found: list[tuple[int, int, Sequence[int]]] = []
    for place, (start, end) in enumerate(pairwise(edges)):
        if found and len(found[-1][2]) < _FEWEST:
            first, _, held = found.pop()
            found.append((first, place, [*held, *samples[start:end]]))
        else:
            found.append((place, place, samples[start:end]))
    if len(found) > 1 and len(found[-1][2]) < _FEWEST:  # a short rest goes to its neighbour
        (first, _, held), (_, last, rest) = found[-2:]
        found[-2:] = [(first, last, [*held, *rest])]
    return [_block(*one) for one in found]


def warmup_medians(measurement: Measurement) -> list[int]:
    """Give the medians of the warm-up in pieces of a few runs; a rest that is shorter counts not.

    The last of them is where the steady state begins.
    """
    runs = measurement.warmup_ns
    ends = range(len(runs), _FEWEST - 1, -_FEWEST)
    return [percentile(sorted(runs[end - _FEWEST : end]), 50) for end in ends][::-1]


def _cut(n: int) -> tuple[int, ...]:
    """Give the sizes of _CUT blocks of about the same size."""
    edges = [n * part // _CUT for part in range(_CUT + 1)]
    return tuple(end - start for start, end in pairwise(edges) if end > start)


def _block(first: int, last: int, samples: Sequence[int]) -> Block:
    ordered = sorted(samples)
    return Block(first, last, percentile(ordered, 50), percentile(ordered, 90))
