"""What moved, and what it is put down to. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np
from scipy import stats

from orchestrator.domain import BoardEffect, Effect, Figures, Finding, Mark
from orchestrator.judging.marks import in_words, since

#: How often chance alone may set a site or an SDK apart from the others.
_LEVEL = 0.002
#: Fewer boards of a group than these are boards, not a group.
_GROUP = 3
#: With fewer boards on a side ranks cannot be sure enough; then the boards' own noise decides.
_RANKS = 8
#: A median of normal values scatters by so much more than their mean: the root of pi / 2.
_OF_MEDIAN = 1.2533
_Z = 1.959963984540054
#: Names in a line; the rest is counted.
_NAMES = 4
#: How far a sensor must be from its own past to be worth a word.
_HOTTER_C = 5.0
_SLOWER_CLOCK = 0.98


def findings(
    boards: Sequence[BoardEffect],
    fleet: Effect | None,
    tonight: Sequence[Figures],
    before: Sequence[Figures],
) -> tuple[Finding, ...]:
    """Give what moved: the fleet, groups of boards, single boards; `before` is newest first."""
    by_name = {one.board: one for one in tonight}
    compared = {
        one.board: one.effect for one in boards if one.effect is not None and one.board in by_name
    }
    marks = since(tonight, before)
    grouped = _groups(compared, by_name, marks)
    found = list(grouped)
    if fleet is not None and fleet.moved:
        found.insert(0, _fleet(fleet, compared, _known(marks, tonight), alike=not grouped))
    for one in boards:
        alone = one.alone if one.board in compared else None
        if alone is not None and alone.moved and not _explained(one, grouped):
            found.append(_board(one.board, alone, by_name[one.board], before, marks))
    return tuple(found)


def percent(share: float) -> str:
    """Write a change: `+2.1 %`."""
    return f"{share:+.1%}".replace("%", " %")


def _known(marks: Sequence[Mark], tonight: Sequence[Figures]) -> list[tuple[Mark, str]]:
    """Give each change with its words; those that were there before tonight say since when."""
    newest = max((one.at for one in tonight), default="")
    return [
        (one, in_words(one) + ("" if one.at == newest else f" since {one.at[:10]}"))
        for one in marks
    ]


def _fleet(
    fleet: Effect, compared: Mapping[str, Effect], known: Sequence[tuple[Mark, str]], *, alike: bool
) -> Finding:
    count = len(compared)
    same = sum(1 for one in compared.values() if one.change * fleet.change > 0)
    who = f"all {count} boards" if same == count else f"{same} of {count} boards"
    why = []
    for mark, words in known:
        changed = len(set(mark.boards) & set(compared))
        if 2 * changed > count:
            why.append(words + ("" if changed == count else f" on {changed} of them"))
    text = f"{who} moved {_change(fleet)}" + (f" with {'; '.join(why)}" if why else "")
    if not alike:
        text += "; not all of them alike"
    elif not why:
        text += "; nothing that is known of them was changed"
    return Finding("fleet", tuple(sorted(compared)), text, fleet.change, fleet.verdict == "FAIL")


def _groups(
    compared: Mapping[str, Effect], by_name: Mapping[str, Figures], marks: Sequence[Mark]
) -> list[Finding]:
    """Give groups of boards that moved apart from the others: changed alike, of a site, an SDK."""
    named = _candidates(compared, by_name, marks)
    found = []
    for members, (kind, text) in named.items():
        mine = [compared[name] for name in members]
        others = [one for name, one in compared.items() if name not in members]
        if min(len(mine), len(others)) < _GROUP or not _apart(mine, others, len(named)):
            continue
        change, rest = (median(one.change for one in side) for side in (mine, others))
        told = f"moved {percent(change)}, the {len(others)} others {percent(rest)}"
        found.append(Finding(kind, members, f"{text} ({_some(members)}) {told}", change))
    return _without_the_other_side(found)


def _candidates(
    compared: Mapping[str, Effect], by_name: Mapping[str, Figures], marks: Sequence[Mark]
) -> dict[tuple[str, ...], tuple[str, str]]:
    """Give who may have moved together, with the kind and the words for it."""
    words: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for mark, told in _known(marks, list(by_name.values())):
        members = tuple(name for name in mark.boards if name in compared)
        words.setdefault(members, []).append((mark.kind, told))
    named = {
        members: (told[0][0], f"the boards with {'; '.join(text for _, text in told)}")
        for members, told in words.items()
    }
    for kind, text, key in (("site", "site {}", "site"), ("SDK", "the boards with SDK {}", "sdk")):
        groups: dict[str, list[str]] = {}
        for name in compared:
            groups.setdefault(getattr(by_name[name], key), []).append(name)
        for value, inside in groups.items():
            if value:
                named.setdefault(tuple(sorted(inside)), (kind, text.format(value)))
    return named


def _without_the_other_side(found: Sequence[Finding]) -> list[Finding]:
    """Of groups that are each other's rest, or overlap, keep the one that moved most."""
    kept: list[Finding] = []
    for one in sorted(found, key=lambda one: -abs(one.change or 0.0)):
        taken = {name for other in kept for name in other.boards}
        small = bool(kept) and abs(one.change or 0.0) * 2 <= abs(kept[0].change or 0.0)
        if not taken & set(one.boards) and not small:
            kept.append(one)
    return kept


def _apart(mine: Sequence[Effect], others: Sequence[Effect], tests: int) -> bool:
    first, second = (np.array([math.log1p(one.change) for one in side]) for side in (mine, others))
    if min(len(mine), len(others)) >= _RANKS:
        p = float(stats.mannwhitneyu(first, second, alternative="two-sided").pvalue)
    else:
        error = math.hypot(_error(mine), _error(others))
        p = float(2 * stats.norm.sf(abs(np.median(first) - np.median(second)) / error))
    return p * max(tests, 1) < _LEVEL


def _error(side: Sequence[Effect]) -> float:
    """Give the standard error of the median change of some boards, as a logarithm."""
    noise = median(_reach(one) for one in side) / _Z
    return _OF_MEDIAN * max(noise, 1e-9) / math.sqrt(len(side))


def _reach(effect: Effect) -> float:
    return (math.log1p(effect.high) - math.log1p(effect.low)) / 2


def _explained(one: BoardEffect, grouped: Sequence[Finding]) -> bool:
    """Say whether a board moved with its group, and not beyond it."""
    if one.effect is None:
        return False
    far = 2 * _reach(one.effect)
    return any(
        one.board in group.boards
        and abs(math.log1p(one.effect.change) - math.log1p(group.change or 0.0)) <= far
        for group in grouped
    )


def _board(
    name: str, alone: Effect, tonight: Figures, before: Sequence[Figures], marks: Sequence[Mark]
) -> Finding:
    own = [earlier for earlier in before if earlier.board == name and earlier.usable]
    why = [words for mark, words in _known(marks, [tonight]) if name in mark.boards]
    why += _sensors(tonight, own)
    told = f": {', '.join(why)}" if why else ": nothing else of it is known to have changed"
    text = f"{name} alone moved {_change(alone)} beyond the fleet{told}"
    return Finding("board", (name,), text, alone.change)


def _sensors(tonight: Figures, own: Sequence[Figures]) -> list[str]:
    """Say what the board's sensors read otherwise than in its nights before."""
    said = []
    heats = [one.temperature_c for one in own if one.temperature_c is not None]
    if heats and tonight.temperature_c is not None:
        hotter = tonight.temperature_c - median(heats)
        if abs(hotter) >= _HOTTER_C:
            word = "hotter" if hotter > 0 else "colder"
            said.append(f"{word} by {abs(hotter):.0f} °C ({tonight.temperature_c:.0f} °C)")
    clocks = [one.npu_clock_mhz for one in own if one.npu_clock_mhz is not None]
    if clocks and tonight.npu_clock_mhz is not None:
        was = median(clocks)
        if tonight.npu_clock_mhz < was * _SLOWER_CLOCK:
            said.append(f"NPU clock {was:.0f} → {tonight.npu_clock_mhz:.0f} MHz")
    return said


def _change(effect: Effect) -> str:
    return f"{percent(effect.change)} ({percent(effect.low)} to {percent(effect.high)})"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMES
    return " ".join(names[:_NAMES]) + (f" and {more} more" if more > 0 else "")
