"""How much of what boards changed by is explained by their site, SDK or toolchain. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from orchestrator.domain import Figures
from orchestrator.judging.location import Floats

#: Fewer boards than these have no variance worth splitting.
_ENOUGH = 6


def split(
    changes: Mapping[str, float], tonight: Sequence[Figures], noise: Mapping[str, float]
) -> dict[str, float]:
    """Give the share of the variance by `site`, `SDK`, `toolchain`, `board` and `noise`.

    One way each, less what groups of that size show by chance (epsilon squared); what remains of
    the whole beyond the measurements' own noise is the boards'. They add up to 1 where the groups
    do not overlap, and are scaled to 1 where they do. Empty: too few boards, or nothing varies.
    """
    known = {one.board: one for one in tonight if one.board in changes}
    names = sorted(known)
    values = np.array([changes[name] for name in names])
    total = float(np.var(values)) if len(names) >= _ENOUGH else 0.0
    if total <= 0.0:
        return {}
    shares = {
        "site": _between(values, [known[name].site for name in names]),
        "SDK": _between(values, [known[name].sdk for name in names]),
        "toolchain": _between(values, [known[name].toolchain_digest for name in names]),
    }
    chance = min(1.0, float(np.mean([noise[name] ** 2 for name in names])) / total)
    grouped = sum(shares.values())
    rest = max(0.0, 1.0 - min(grouped, 1.0))
    shares["noise"] = min(chance, rest)
    shares["board"] = rest - shares["noise"]
    whole = sum(shares.values())
    return {name: share / whole for name, share in shares.items() if share > 0}


def _between(values: Floats, groups: Sequence[str]) -> float:
    """Give epsilon squared of one grouping: 0 where there is but one group, or one of each."""
    kinds = sorted(set(groups))
    n, k = len(values), len(kinds)
    if not 1 < k < n:
        return 0.0
    labels = np.array(groups)
    whole = float(np.sum((values - values.mean()) ** 2))
    inside = sum(
        float(np.sum((values[labels == kind] - values[labels == kind].mean()) ** 2))
        for kind in kinds
    )
    return max(0.0, (whole - inside - (k - 1) * inside / (n - k)) / whole)
