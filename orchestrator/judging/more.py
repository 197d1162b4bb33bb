"""Which boards more rounds would tell something of. Pure."""

from __future__ import annotations

from orchestrator.domain import BoardEffect, RecipeJudged

#: A board that stands apart this much may be one that moved.
_SUSPICIOUS = 0.05


def wants_more(judged: RecipeJudged) -> tuple[str, ...]:
    """Name the boards that ask for more rounds, the widest interval first."""
    if judged.fleet is not None and judged.fleet.verdict == "INCONCLUSIVE":
        asking = [one for one in judged.boards if one.effect is not None and one.noise_known]
    else:
        asking = [one for one in judged.boards if _asks(one)]
    return tuple(one.board for one in sorted(asking, key=lambda one: (-_width(one), one.board)))


def _asks(one: BoardEffect) -> bool:
    if one.effect is None or not one.noise_known:
        return False  # rounds say nothing of what differs between nights
    suspicious = one.alone is not None and one.alone.p is not None and one.alone.p < _SUSPICIOUS
    return one.effect.verdict == "INCONCLUSIVE" or (
        suspicious and one.alone is not None and not one.alone.moved
    )


def _width(one: BoardEffect) -> float:
    return 0.0 if one.effect is None else one.effect.high - one.effect.low
