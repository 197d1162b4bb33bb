"""A night on one screen: the verdict, what moved, a table, what to do next. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.domain import BoardEffect, Effect, Figures, NightReport, RecipeReport
from orchestrator.reports.trend_bars import bars

#: Rows of a recipe's table; the rest is counted.
_MOST_ROWS = 12
_MOST_FINDINGS = 8
HEADER = (
    "board",
    "p50 ms",
    "± ms",
    "change",
    "between",
    "nights",
    "°C",
    "agreement",
    "trend",
    "verdict",
)
_EMPTY = "-"


@dataclass(frozen=True, slots=True)
class RecipeScreen:
    """One recipe's part of the screen; `rest` says what is not in the table."""

    title: str
    rows: tuple[tuple[str, ...], ...]
    rest: str


def headline(report: NightReport) -> str:
    """Say in a line how the night ended."""
    night = report.night
    simulated = " · simulated boards" if night.simulated else ""
    when = night.started_at.replace("T", " ")[:16]
    return f"{night.verdict or 'unfinished'}  fleet {night.fleet}, night {night.night_id}, {when} UTC{simulated}"  # noqa: E501 - a line


def findings(report: NightReport) -> list[str]:
    """Say what moved, what failed first; one recipe's name goes without saying."""
    several = len(report.recipes) > 1
    found = []
    for recipe in report.recipes:
        name = f"{recipe.judged.recipe}: " if several else ""
        found += [
            ("FAIL  " if one.fails else "moved ") + name + one.text
            for one in recipe.judged.findings
        ]
        found += [f"FAIL  {name}{gate}" for gate in recipe.judged.failed_gates]
        found += [
            f"mark  {name}{m.kind} {m.before} → {m.after} on {_some(m.boards)}"
            for m in recipe.judged.marks
        ]
    found.sort(key=lambda line: not line.startswith("FAIL"))
    more = len(found) - _MOST_FINDINGS
    return found[:_MOST_FINDINGS] + (
        [f"      and {more} more: see the HTML report"] if more > 0 else []
    )


def recipe_screen(recipe: RecipeReport, *, plain: bool = False) -> RecipeScreen:
    """Give the table of a recipe, the boards that stand out first."""
    judged = recipe.judged
    known = {one.board: one for one in recipe.figures}
    effects = {one.board: one for one in judged.boards}
    pointed = {name for one in judged.findings for name in one.boards if len(one.boards) == 1}
    order = sorted(known, key=lambda name: (name not in pointed, *_rank(effects.get(name)), name))
    past = _past(recipe.history)
    rows = tuple(
        _row(known[name], effects.get(name), past.get(name, []), plain=plain)
        for name in order[:_MOST_ROWS]
    )
    title = f"{judged.recipe}: {judged.verdict}"
    if judged.fleet is not None:
        title += f", fleet {change(judged.fleet)} against {judged.baseline}"
    else:
        title += f", {judged.baseline or 'nothing to compare with yet'}"
    more = len(order) - len(rows)
    return RecipeScreen(title, rows, f"{more} more boards: see the HTML report" if more > 0 else "")


def change(effect: Effect) -> str:
    """Write a change with its interval: `+2.1 % (+1.9 to +2.3)`."""
    low, high = 100 * effect.low, 100 * effect.high
    return f"{100 * effect.change:+.1f} % ({low:+.1f} to {high:+.1f})"


def last_lines(report: NightReport) -> list[str]:
    """Give a night in ten lines at most."""
    lines = [headline(report), *(recipe_screen(one).title for one in report.recipes)]
    lines = [*lines[:4], *findings(report)[:4]]
    if report.night.failed_boards:
        lines.append(f"not done: {', '.join(report.night.failed_boards)}")
    lines += [f"next  {step}" for step in report.next_steps]
    return lines[:10]


def _rank(effect: BoardEffect | None) -> tuple[int, float]:
    if effect is None:
        return 0, 0.0
    order = {"FAIL": 0, "INCONCLUSIVE": 1, "PASS": 2}[effect.verdict]
    return order, -abs(effect.effect.change) if effect.effect else 0.0


def _past(history: Sequence[Figures]) -> dict[str, list[float | None]]:
    """Give p50 of each board's nights, oldest first."""
    found: dict[str, list[float | None]] = {}
    for one in reversed(history):
        found.setdefault(one.board, []).append(one.p50_ms if one.usable else None)
    return found


def _row(
    figures: Figures, effect: BoardEffect | None, past: Sequence[float | None], *, plain: bool
) -> tuple[str, ...]:
    held = figures.low_ms, figures.high_ms
    within = _EMPTY
    if figures.p50_ms is not None and held[0] is not None and held[1] is not None:
        within = f"{max(held[1] - figures.p50_ms, figures.p50_ms - held[0]):.3f}"
    moved = effect.effect if effect is not None else None
    verdict = effect.verdict if effect is not None else _EMPTY
    if figures.error_code:
        verdict = f"failed: {figures.error_code}"
    elif not figures.usable:
        verdict = f"{figures.verdict or 'not measured'}, not used"
    return (
        figures.board + (" (simulated)" if figures.simulated else ""),
        _EMPTY if figures.p50_ms is None else f"{figures.p50_ms:.3f}",
        within,
        _EMPTY if moved is None else f"{100 * moved.change:+.1f} %",
        _EMPTY if moved is None else f"{100 * moved.low:+.1f} to {100 * moved.high:+.1f}",
        _EMPTY if effect is None else str(effect.nights),
        _EMPTY if figures.temperature_c is None else f"{figures.temperature_c:.0f}",
        _EMPTY if figures.agreement is None else f"{figures.agreement:.2%}",
        bars([*past, figures.p50_ms if figures.usable else None], plain=plain),
        verdict,
    )


def _some(names: Sequence[str]) -> str:
    return " ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004
