"""A night as Markdown, short enough for a pull request."""

from __future__ import annotations

from html import escape

from orchestrator.domain import NightReport, RecipeReport
from orchestrator.reports.screen import HEADER, findings, headline, recipe_screen


def markdown(report: NightReport) -> str:
    """Give verdict, what moved and the boards that stand out; all boards are folded away."""
    lines = [f"### {_plain(headline(report))}", ""]
    if report.night.simulated:
        lines += ["**Simulated boards**: times are of this machine's CPU, not of an NPU.", ""]
    lines += [f"- {_plain(' '.join(one.split()))}" for one in findings(report)] or [
        "- nothing moved"
    ]
    for board, why in report.night.failed_boards.items():
        lines.append(f"- **failed** {_plain(board)}: {_plain(why)}")
    lines.append("")
    for recipe in report.recipes:
        lines += _recipe(recipe)
    if report.next_steps:
        lines += ["Next:", "", *(f"- {_plain(step)}" for step in report.next_steps), ""]
    return "\n".join(lines)


def _recipe(recipe: RecipeReport) -> list[str]:
    shown = recipe_screen(recipe)
    bad = any(one.verdict != "PASS" for one in recipe.judged.boards)
    table = [
        "| " + " | ".join(HEADER) + " |",
        "| " + " | ".join("---" for _ in HEADER) + " |",
        *("| " + " | ".join(map(_plain, row)) + " |" for row in shown.rows),
    ]
    summary = f"<summary>{escape(shown.title)}</summary>"
    opened = "<details open>" if bad else "<details>"
    rest = ["", _plain(shown.rest)] if shown.rest else []
    return [opened, summary, "", *table, *rest, "", "</details>", ""]


def _plain(text: str) -> str:
    """Give a text with no cell, line, tag or link of its own."""
    said = escape(" ".join(text.split()), quote=False)
    for letter in "\\`*_[]|#":
        said = said.replace(letter, "\\" + letter)
    return said
