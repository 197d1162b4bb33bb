"""What moved, and what it is put down to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np
from scipy import stats

from orchestrator.domain import BoardEffect, Effect, Figures, Finding, Mark
from orchestrator.judging.marks import in_words

#: How often chance alone may set a site or an SDK apart from the others.
_LEVEL = 0.002
#: Fewer boards of a group than these are boards, not a group.
_GROUP = 3
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
    marks: Sequence[Mark],
) -> tuple[Finding, ...]:
    """Give what moved: the fleet, groups of boards, single boards; the widest first."""
    by_name = {one.board: one for one in tonight}
    compared = [one for one in boards if one.effect is not None and one.board in by_name]
    alone = [one for one in compared if one.alone is not None and one.alone.moved]
    grouped = _groups(compared, by_name, marks)
    explained = {name for one in grouped for name in one.boards}
    found = [] if fleet is None or not fleet.moved else [_fleet(fleet, compared, marks)]
    found += grouped
    for one in alone:
        if one.board not in explained:
            found.append(_board(one, by_name[one.board], before, marks))
    return tuple(found)


def percent(share: float) -> str:
    """Write a change: `+2.1 %`."""
    return f"{share:+.1%}".replace("%", " %")


def _fleet(fleet: Effect, compared: Sequence[BoardEffect], marks: Sequence[Mark]) -> Finding:
    names = {one.board for one in compared}
    same = sum(1 for one in compared if one.effect and one.effect.change * fleet.change > 0)
    who = f"all {len(names)} boards" if same == len(names) else f"{same} of {len(names)} boards"
    why = [in_words(one) for one in marks if set(one.boards) >= names]
    text = f"{who} moved {_change(fleet)}" + (f" with {'; '.join(why)}" if why else "")
    if not why:
        text += "; nothing that is known of them was changed"
    return Finding("fleet", tuple(sorted(names)), text, fleet.change, fleet.verdict == "FAIL")


def _groups(
    compared: Sequence[BoardEffect], by_name: Mapping[str, Figures], marks: Sequence[Mark]
) -> list[Finding]:
    """Give groups of boards that moved apart from the others: changed alike, of a site, an SDK."""
    changes = {one.board: one.effect.change for one in compared if one.effect is not None}
    named: dict[tuple[str, ...], tuple[str, str]] = {}
    for mark in marks:
        members = tuple(name for name in mark.boards if name in changes)
        named.setdefault(members, (mark.kind, f"the boards with {in_words(mark)}"))
    for kind, text, key in (("site", "site {}", "site"), ("SDK", "the boards with SDK {}", "sdk")):
        groups: dict[str, list[str]] = {}
        for name in changes:
            groups.setdefault(getattr(by_name[name], key), []).append(name)
        for value, inside in groups.items():
            if value:
                named.setdefault(tuple(sorted(inside)), (kind, text.format(value)))
    found = []
    for members, (kind, text) in named.items():
        others = [value for name, value in changes.items() if name not in members]
        mine = [changes[name] for name in members]
        if min(len(mine), len(others)) < _GROUP or not _apart(mine, others, len(named)):
            continue
        rest = f"moved {percent(median(mine))}, the {len(others)} others {percent(median(others))}"
        found.append(Finding(kind, members, f"{text} ({_some(members)}) {rest}", median(mine)))
    return _without_the_other_side(found)


def _without_the_other_side(found: Sequence[Finding]) -> list[Finding]:
    """Of groups that are each other's rest, or overlap, keep the one that moved most."""
    ordered = sorted(found, key=lambda one: -abs(one.change or 0.0))
    kept: list[Finding] = []
    for one in ordered:
        if not kept or set(one.boards) & {name for other in kept for name in other.boards}:
            kept += [] if kept else [one]
        elif abs(one.change or 0.0) * 2 > abs(kept[0].change or 0.0):
            kept.append(one)
    return kept


def _apart(mine: Sequence[float], others: Sequence[float], tests: int) -> bool:
    found = stats.mannwhitneyu(np.array(mine), np.array(others), alternative="two-sided")
    return float(found.pvalue) * max(tests, 1) < _LEVEL


def _board(
    one: BoardEffect, tonight: Figures, before: Sequence[Figures], marks: Sequence[Mark]
) -> Finding:
    own = [earlier for earlier in before if earlier.board == one.board and earlier.usable]
    why = [in_words(mark) for mark in marks if one.board in mark.boards]
    why += _sensors(tonight, own)
    told = f": {', '.join(why)}" if why else ": nothing else of it is known to have changed"
    effect = one.alone or one.effect
    change = "" if effect is None else f" {_change(effect)}"
    text = f"{one.board} alone moved{change} beyond the fleet{told}"
    return Finding("board", (one.board,), text, None if effect is None else effect.change)


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
