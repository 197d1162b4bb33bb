"""Do the intervals hold what they are to hold? Coverage by simulation, and exactly.

    python -m benchmarks.intervals [rounds, 20000]

Each round draws n samples, takes the interval of a percentile as a report does, and looks if the
distribution's true percentile lies in it. Seeded: the same numbers on every machine.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from orchestrator.stats import CONFIDENCE, interval_ranks

ROUNDS = 20_000
#: Coverage of a 95 % interval may lie in here.
LEAST, MOST = 0.93, 0.97
Uniforms = NDArray[np.float64]


def _bimodal(at: Uniforms) -> Uniforms:
    """A latency that is 10 ms, and in three of ten runs 25 ms; both a little spread."""
    slow: Uniforms = np.floor(at + 0.3)
    return 10 + at + 15 * slow


def _lognormal(at: Uniforms) -> Uniforms:
    inverse = np.vectorize(NormalDist().inv_cdf, otypes=[float])
    normal: Uniforms = inverse(at)
    return np.exp(0.2 * normal)


#: Quantile functions: of a uniform draw they make a sample, of p the true percentile.
DISTRIBUTIONS: dict[str, Callable[[Uniforms], Uniforms]] = {
    "uniform": lambda at: at,
    "lognormal": _lognormal,
    "exponential tail": lambda at: 10 - np.log1p(-at),
    "heavy tail": lambda at: (1 - at) ** (-1 / 1.5),
    "bimodal": _bimodal,
}
#: Percentile and how many samples; p99 from where a gate takes it.
CASES = (
    *((50.0, n) for n in (40, 100, 200, 1000)),
    *((90.0, n) for n in (70, 100, 200, 1000)),
    *((99.0, n) for n in (300, 500, 1000, 3000)),
)


@dataclass(frozen=True, slots=True)
class Covered:
    """How often an interval held the true percentile; `exact` is what theory has for it."""

    distribution: str
    percent: float
    n: int
    share: float
    exact: float


def coverage(
    distribution: str, percent: float, n: int, rounds: int, dice: np.random.Generator
) -> Covered:
    """Draw so many rounds, and count."""
    ranks = interval_ranks(n, percent)
    assert ranks is not None
    low, high = ranks
    quantile = DISTRIBUTIONS[distribution]
    truth = quantile(np.array([percent / 100]))[0]
    held = 0
    for size in _portions(rounds, n):
        samples = np.sort(quantile(dice.random((size, n))), axis=1)
        held += int(((samples[:, low - 1] <= truth) & (truth <= samples[:, high - 1])).sum())
    return Covered(distribution, percent, n, held / rounds, exact_coverage(n, percent, ranks))


def exact_coverage(n: int, percent: float, ranks: tuple[int, int]) -> float:
    """Give P(low <= B < high) for B ~ Binomial(n, percent / 100), by whole numbers."""
    hits, whole = round(percent), 100
    ways = sum(math.comb(n, b) * hits**b * (whole - hits) ** (n - b) for b in range(*ranks))
    return float(Fraction(ways, whole**n))


def _portions(rounds: int, n: int) -> Iterator[int]:
    """Cut the rounds so that a portion's samples fit into a few MB."""
    most = max(1, 1_000_000 // n)
    while rounds > 0:
        yield min(most, rounds)
        rounds -= most


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    dice = np.random.default_rng(5)
    print(f"{CONFIDENCE:.0%} intervals, {rounds:,} rounds each\n")
    print(f"{'':8}{'n':>6}{'ranks':>14}{'exact':>8}" + "".join(f"{x:>18}" for x in DISTRIBUTIONS))
    outside = 0
    for percent, n in CASES:
        rows = [coverage(name, percent, n, rounds, dice) for name in DISTRIBUTIONS]
        outside += sum(not LEAST <= one.share <= MOST for one in rows)
        low, high = interval_ranks(n, percent) or (0, 0)
        shares = "".join(f"{one.share:>18.2%}" for one in rows)
        print(f"p{percent:<7.0f}{n:>6}{f'{low} to {high}':>14}{rows[0].exact:>8.2%}{shares}")
    print(f"\n{outside} of {len(CASES) * len(DISTRIBUTIONS)} outside {LEAST:.0%} to {MOST:.0%}")
    return 1 if outside else 0


if __name__ == "__main__":
    raise SystemExit(main())
