"""The page: values for the template, and one file of it all."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from orchestrator.accuracy_table import accuracy_tables
from orchestrator.domain import BoardEffect, Figures, Json, Link, NightReport, RecipeReport
from orchestrator.reports.html.charts import Chart, charts_of
from orchestrator.reports.json_report import night_json
from orchestrator.reports.screen import change, findings, headline

#: A contact sheet is made smaller than this, in pixels.
_MOST_PIXELS = 1600
#: More samples than these are left to report.json.
_MOST_SAMPLES = 400_000

COLUMNS = (
    ("board", False),
    ("verdict", False),
    ("site", False),
    ("p50 ms", True),
    ("95 % interval", False),
    ("p90 ms", True),
    ("p99 ms", True),
    ("change %", True),
    ("between", False),
    ("baseline ms", True),
    ("nights", True),
    ("n", True),
    ("°C", True),
    ("NPU MHz", True),
    ("agreement", True),
    ("mIoU", True),
    ("measured", False),
)


def write_html(report: NightReport, path: Path, head: Link | None = None) -> None:
    """Write a night to one file that asks no network for anything."""
    import jinja2
    from plotly.offline import get_plotlyjs

    own = files("orchestrator.reports.html")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string((own / "page.html.j2").read_text(encoding="utf-8"))
    charts = [charts_of(one, at) for at, one in enumerate(report.recipes)]
    together = zip(report.recipes, charts, strict=True)
    recipes = [_recipe(one, f"r{at}", own, report) for at, (one, own) in enumerate(together)]
    drawn: dict[str, Json] = {
        one.key: {"data": one.data, "layout": one.layout} for own in charts for one in own
    }
    text = template.render(
        title=headline(report),
        report=report,
        findings=findings(report),
        recipes=recipes,
        columns=COLUMNS,
        style=_inert((own / "page.css").read_text(encoding="utf-8")),
        script=_inert((own / "page.js").read_text(encoding="utf-8")),
        plotly=_inert(get_plotlyjs()),
        charts=_inert(_script_json(drawn)),
        data=_inert(_script_json(_data(report, head))),
    )
    path.write_text(text, encoding="utf-8")


def _inert(text: str) -> object:
    """Mark what is code of ours or JSON as such; everything else is escaped."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - scripts and style of this package, and JSON without "<"


def _script_json(value: Json) -> str:
    """Give JSON that cannot end the script it stands in."""
    said = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return said.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _data(report: NightReport, head: Link | None) -> dict[str, Json]:
    """Give the machine's part of the page; large nights have their samples in report.json only."""
    counts = (
        len(one.measurement.samples_ns)
        for recipe in report.recipes
        for one in recipe.outcomes
        if one.measurement
    )
    data = night_json(report, head)
    if sum(counts) > _MOST_SAMPLES and isinstance(data["recipes"], list):
        for recipe in data["recipes"]:
            if isinstance(recipe, dict):
                recipe["boards"] = []
    return data


def _recipe(
    recipe: RecipeReport, key: str, charts: Sequence[Chart], report: NightReport
) -> dict[str, object]:
    """Give what the template shows of a recipe."""
    judged = recipe.judged
    effects = {one.board: one for one in judged.boards}
    outcomes = {one.board: one for one in recipe.outcomes}
    rows = [
        {
            "cells": _cells(one, effects.get(one.board)),
            "verdict": _verdict(one, effects.get(one.board)),
            "reasons": effects[one.board].reasons if one.board in effects else (),
            "command": recipe.commands.get(one.board, ""),
        }
        for one in recipe.figures
    ]
    failures = [
        (one.board, one.error, one.hint, recipe.log_tails.get(one.board, ""))
        for one in outcomes.values()
        if one.error
    ]
    sheet = report.contact_sheets.get(judged.recipe)
    return {
        "key": key,
        "name": judged.recipe,
        "judged": judged,
        "fleet": "" if judged.fleet is None else change(judged.fleet),
        "rows": rows,
        "charts": charts,
        "accuracy": accuracy_tables(recipe.run, recipe.outcomes) if recipe.outcomes else [],
        "releases": sorted({(f.release_id, f.pulsar2, f.sdk, f.kernel) for f in recipe.figures}),
        "failures": failures,
        "sheet": "" if sheet is None else _picture(Path(sheet)),
    }


def _cells(one: Figures, effect: BoardEffect | None) -> list[tuple[str, str]]:
    """Give the cells of a board as (text, what it is sorted by), in the order of COLUMNS."""
    moved = None if effect is None else effect.effect
    held = (
        ""
        if one.low_ms is None or one.high_ms is None
        else f"{one.low_ms:.3f} to {one.high_ms:.3f}"
    )
    between = "" if moved is None else f"{100 * moved.low:+.1f} to {100 * moved.high:+.1f}"
    shown: list[tuple[str, float | None]] = [
        (_number(one.p50_ms, 3), one.p50_ms),
        (held, one.low_ms),
        (_number(one.p90_ms, 3), one.p90_ms),
        (_number(one.p99_ms, 3), one.p99_ms),
        ("" if moved is None else f"{100 * moved.change:+.1f}", moved.change if moved else None),
        (between, moved.low if moved else None),
        (
            _number(effect.baseline_ms if effect else None, 3),
            effect.baseline_ms if effect else None,
        ),
        (str(effect.nights) if effect else "", effect.nights if effect else None),
        (str(one.n), one.n),
        (_number(one.temperature_c, 0), one.temperature_c),
        (_number(one.npu_clock_mhz, 0), one.npu_clock_mhz),
        ("" if one.agreement is None else f"{one.agreement:.2%}", one.agreement),
        (_number(one.miou, 3), one.miou),
    ]
    name = one.board + (" (simulated)" if one.simulated else "")
    texts = [(text, "" if by is None else repr(float(by))) for text, by in shown]
    worth = one.error_code or one.verdict
    return [(name, name), (one.site, one.site), *texts, (worth, worth)]


def _verdict(one: Figures, effect: BoardEffect | None) -> str:
    if one.error_code:
        return "ERROR"
    return "INCONCLUSIVE" if effect is None else effect.verdict


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _picture(path: Path) -> str:
    """Give a picture as a data URI, not larger than a screen."""
    from PIL import Image

    with Image.open(path) as image:
        small = image.convert("RGB")
        small.thumbnail((_MOST_PIXELS, 4 * _MOST_PIXELS))
        kept = io.BytesIO()
        small.save(kept, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(kept.getvalue()).decode("ascii")
