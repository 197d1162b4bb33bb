"""In which steps a release goes through a fleet, and whether the next step may be taken. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from orchestrator.domain import Board, BoardOutcome, Measurement, Rollout
from orchestrator.latency import latency_of, tool_figures


@dataclass(frozen=True, slots=True)
class Wave:
    """Boards that are worked on together; `label` is as the inventory has it."""

    label: str
    boards: tuple[Board, ...]


def waves(boards: Sequence[Board], rollout: Rollout) -> tuple[Wave, ...]:
    """Cut a fleet into waves: the canaries, then up to each share of all boards; none is left out.

    A canary that is not among the boards, left out by --limit say, is passed over.
    """
    named = set(rollout.canary)
    first = [board for board in boards if board.name in named]
    rest = [board for board in boards if board.name not in named]
    cut = [Wave("canary", tuple(first))] if first else []
    done = len(first)
    for label in (*rollout.waves, "100%"):
        upto = min(count_of(label, len(boards)), len(boards))
        if upto > done:
            cut.append(Wave(label, tuple(rest[done - len(first) : upto - len(first)])))
            done = upto
    return tuple(cut)


def count_of(text: str, total: int) -> int:
    """Read `3` or `10%` of `total`; a share is rounded up, so that it is never none of them."""
    if text.endswith("%"):
        return math.ceil(float(text.removesuffix("%")) * total / 100)
    return int(text)


def reason_to_stop(failed: Collection[str], total: int, rollout: Rollout) -> str | None:
    """Say why no further wave may begin; None where it may.

    `failed` are the boards that failed so far, `total` is how many the rollout has.
    """
    most = count_of(rollout.max_failed, total)
    if rollout.max_failed.endswith("%"):  # a share that may fail is rounded down
        most = math.floor(float(rollout.max_failed.removesuffix("%")) * total / 100)
    if len(failed) <= most:
        return None
    return (
        f"{len(failed)} of {total} boards failed ({', '.join(sorted(failed))}), "
        f"the rollout allows {most} (max_failed {rollout.max_failed})"
    )


def against_baseline(
    outcome: BoardOutcome, baseline: BoardOutcome | None, rollout: Rollout
) -> tuple[str, ...]:
    """Say what of a board has become worse than the rollout allows.

    The baseline is the board's own last good outcome with this recipe; without one nothing is said.
    """
    if baseline is None:
        return ()
    worse = []
    most = rollout.max_slowdown
    now, before = (_typical_ms(one.measurement) for one in (outcome, baseline))
    if most is not None and now is not None and before is not None and now[0] == before[0]:
        p50, was = now[1], before[1]
        if p50 > was * (1 + most):
            worse.append(
                f"{outcome.board}: p50 {p50:.3f} ms is {p50 / was - 1:.1%} above its baseline "
                f"{was:.3f} ms, max_slowdown is {most:.1%}"
            )
    loss = rollout.max_agreement_loss
    if loss is not None and outcome.agreement is not None and baseline.agreement is not None:
        share, had = outcome.agreement.share, baseline.agreement.share
        if had - share > loss:
            worse.append(
                f"{outcome.board}: agreement {share:.2%} is {had - share:.2%} under its baseline "
                f"{had:.2%}, max_agreement_loss is {loss:.2%}"
            )
    return tuple(worse)


def _typical_ms(measurement: Measurement | None) -> tuple[str, float] | None:
    """Give by which instrument, and the median, or what comes nearest to it, in ms."""
    if measurement is None:
        return None
    if (latency := latency_of(measurement)) is not None:
        return "agent", latency.p50_ms
    figures = tool_figures(measurement)
    if figures is None:
        return None
    return figures.instrument, figures.mean_ms if figures.p50_ms is None else figures.p50_ms
