"""How often `orch verify` finds what is there, and cries wolf: simulated nights of known truth.

Every night goes through `judge_recipe` as the product calls it, with its default sampling: five
rounds on each board, and five more where it asks for them. Beside it, on the same numbers: the
unpaired Mann-Whitney test of tonight's boards against last night's, and a plain threshold of 5 %
on a board's or the fleet's median against last night.

    python -m benchmarks.night_power [NIGHTS]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from orchestrator.domain import Figures, RecipeJudged, VerifySpec
from orchestrator.judging.more import wants_more
from orchestrator.judging.recipe import Context, judge_recipe

BOARDS = 40
SPREAD = 0.03
NOISE = 0.01
BASE_MS = 20.0
SPEC = VerifySpec()
HISTORY = SPEC.baseline_nights
LEVEL = 0.01
THRESHOLD = 0.05

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class World:
    """What is true: tonight's change of each board, spikes, and where the noise is.

    Attributes:
        noise: standard deviation of each round.
        night_noise: of each board-night, which no further round makes smaller.
        spikes: single rounds of tonight, and single board-nights of the past, at +30 %.
    """

    changes: Floats
    noise: float = NOISE
    night_noise: float = 0.0
    spikes: int = 0


@dataclass(frozen=True, slots=True)
class Night:
    """What was drawn: p50 in ms of each round, (nights, boards, rounds), tonight the last."""

    before: Floats
    tonight: Floats
    more: Floats


def draw(world: World, random: np.random.Generator) -> Night:
    """Draw boards, their past and tonight."""
    boards = BASE_MS * np.exp(random.normal(0, SPREAD, BOARDS))
    rounds = SPEC.rounds

    def measured(nights: int, count: int) -> Floats:
        night = random.normal(0, world.night_noise, (nights, BOARDS, 1)) if world.night_noise else 0
        noise = random.normal(0, world.noise, (nights, BOARDS, count))
        found: Floats = boards[None, :, None] * np.exp(night + noise)
        return found

    before = measured(HISTORY, rounds)
    both = measured(1, rounds + SPEC.more_rounds)[0] * (1 + world.changes)[:, None]
    for _ in range(world.spikes):
        before[random.integers(HISTORY), random.integers(BOARDS)] *= 1.3
        both[random.integers(BOARDS), random.integers(rounds)] *= 1.3
    return Night(before, both[:, :rounds], both[:, rounds:])


def judged(night: Night) -> RecipeJudged:
    """Judge a night as the product does, with the rounds that it asks for."""
    before = [
        one
        for number in range(HISTORY - 1, -1, -1)
        for one in figures(night.before[number], number)
    ]
    tonight = figures(night.tonight, HISTORY)
    context = Context("tonight", "model")
    first = judge_recipe(tonight, before, SPEC, context)
    asked = set(wants_more(first))
    if not asked:
        return first
    whole = figures(np.concatenate([night.tonight, night.more], axis=1), HISTORY)
    chosen = [
        more if more.board in asked else one for one, more in zip(tonight, whole, strict=True)
    ]
    return judge_recipe(chosen, before, SPEC, context)


def figures(rounds: Floats, number: int) -> list[Figures]:
    """Give a night's figures from the p50 of its rounds, (boards, rounds)."""
    at = f"2026-01-{number + 1:02d}T02:00:00+00:00"
    plain = Figures("run", "", "model", "lab", at, verdict="VALID", n=1000)
    return [
        replace(
            plain,
            board=f"b{place:02d}",
            p50_ms=float(np.median(own)),
            rounds_ms=tuple(own.tolist()),
        )
        for place, own in enumerate(rounds)
    ]


def fleet_moved(night: Night) -> bool:
    one = judged(night)
    return one.fleet is not None and one.fleet.moved


def anything(night: Night) -> bool:
    one = judged(night)
    return (
        bool(one.findings) or one.verdict == "FAIL" or (one.fleet is not None and one.fleet.moved)
    )


def names_first(night: Night) -> bool:
    return any(one.boards == ("b00",) for one in judged(night).findings)


def unpaired(night: Night) -> bool:
    last, now = (np.median(one, axis=1) for one in (night.before[-1], night.tonight))
    return float(stats.mannwhitneyu(last, now).pvalue) < LEVEL


def over_5_percent(night: Night) -> bool:
    last, now = (np.median(one, axis=1) for one in (night.before[-1], night.tonight))
    return bool(np.any(np.abs(now / last - 1) > THRESHOLD))


def share(found: Callable[[Night], bool], nights: Sequence[Night]) -> str:
    return f"{np.mean([found(one) for one in nights]):.1%}"


def within_three(world: World, count: int, random: np.random.Generator) -> str:
    """Say how often a step that stays is found on one of its first three nights."""
    found = 0
    for _ in range(count):
        nights = [draw(world, random) for _ in range(3)]
        boards = nights[0]
        several = boards.before
        for night in nights:
            # The same boards: each night becomes a part of the next one's past.
            scale = several.mean(axis=(0, 2)) / night.before.mean(axis=(0, 2))
            tonight = night.tonight * scale[:, None]
            if fleet_moved(Night(several, tonight, night.more * scale[:, None])):
                found += 1
                break
            several = np.concatenate([several[1:], tonight[None]])
    return f"{found / count:.1%}"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    random = np.random.default_rng(2026)
    nothing, step = np.zeros(BOARDS), np.full(BOARDS, 0.005)
    one = np.where(np.arange(BOARDS) == 0, 0.03, 0.0)
    rows: list[tuple[str, str, Callable[[Night], bool], World, int]] = [
        ("0.5 % fleet step, found the same night", ">= 90 %", fleet_moved, World(step), count),
        ("one board 3 % slower, named", ">= 95 %", names_first, World(one), count),
        ("nothing, any alarm", "<= 1 %", anything, World(nothing), 4 * count),
        ("three spikes of +30 %, any alarm", "<= 1 %", anything, World(nothing, spikes=3), count),
        (
            "0.5 % fleet step, 1 % noise per board-night",
            "",
            fleet_moved,
            World(step, 0.0, NOISE),
            count,
        ),
        (
            "nothing, 1 % noise per board-night",
            "<= 1 %",
            anything,
            World(nothing, 0.0, NOISE),
            count,
        ),
    ]
    print(f"{BOARDS} boards, {SPREAD:.0%} spread, {NOISE:.0%} noise, {HISTORY} nights before;")
    print(f"{SPEC.rounds} rounds and up to {SPEC.more_rounds} more. All simulated.\n")
    print("| truth | wanted | nights | orch | unpaired, p < 0.01 | over 5 % |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for title, wanted, found, world, many in rows:
        nights = [draw(world, random) for _ in range(many)]
        others = (share(unpaired, nights), share(over_5_percent, nights))
        print(f"| {title} | {wanted} | {many} | {share(found, nights)} | {' | '.join(others)} |")
    three = within_three(World(step), count, random)
    print(f"| 0.5 % fleet step, found within three nights | >= 99 % | {count} | {three} | | |")


if __name__ == "__main__":
    main()
