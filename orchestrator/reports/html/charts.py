"""The charts of a recipe's night, as Plotly takes them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median

from orchestrator.domain import BoardOutcome, Json, Measurement, RecipeReport
from orchestrator.sensors import number

#: Boards that have a box, and points of each: a browser draws no more in comfort.
MOST_BOXES = 60
MOST_POINTS = 400
#: Boards whose blocks are drawn, those that stand out first.
MOST_LINES = 8
#: Rows of the heat map.
MOST_ROWS = 500


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, and in words what it shows; `left_out` says what is not in it."""

    key: str
    title: str
    text: str
    data: list[Json]
    layout: dict[str, Json]
    left_out: str = ""


def charts_of(recipe: RecipeReport, place: int) -> list[Chart]:
    """Give the charts that there is something to draw for."""
    made = (_boxes(recipe), _heat(recipe), _trend(recipe), _sensors(recipe))
    return [
        Chart(f"{place}-{one.key}", one.title, one.text, one.data, one.layout, one.left_out)
        for one in made
        if one is not None
    ]


def _order(recipe: RecipeReport) -> list[str]:
    """Give the boards, those that stand out first."""
    rank = {"FAIL": 0, "INCONCLUSIVE": 1, "PASS": 2}
    found = sorted(recipe.judged.boards, key=lambda one: (rank[one.verdict], one.board))
    return [one.board for one in found]


def _boxes(recipe: RecipeReport) -> Chart | None:
    measured = {
        one.board: one for one in recipe.outcomes if one.measurement and one.measurement.samples_ns
    }
    names = [name for name in _order(recipe) if name in measured]
    if not names:
        return None
    shown = names[:MOST_BOXES]
    data: list[Json] = []
    spans = []
    for name in shown:
        samples = _some(measured[name])
        spans.append(f"{name}: {min(samples):.3f} to {max(samples):.3f} ms")
        data.append(
            {
                "type": "box",
                "name": _title(measured[name]),
                "y": list(samples),
                "boxpoints": False,
                "showlegend": False,
            }
        )
    left = f"{len(names) - len(shown)} more boards are in samples.csv" if names[MOST_BOXES:] else ""
    return Chart(
        "latency",
        "Latency by board",
        "A box for each board: median, quartiles and whiskers of its inferences. "
        + "; ".join(spans[:MOST_LINES]),
        data,
        {"yaxis": {"title": {"text": "ms"}}},
        left,
    )


def _heat(recipe: RecipeReport) -> Chart | None:
    nights: dict[str, dict[str, float]] = {}
    for one in (*recipe.history, *recipe.figures):
        if one.usable and one.p50_ms:
            nights.setdefault(one.at, {})[one.board] = one.p50_ms
    names = _order(recipe)[:MOST_ROWS]
    if len(nights) < 2 or not names:  # noqa: PLR2004 - one night has nothing to be compared with
        return None
    times = sorted(nights)
    rows: list[Json] = []
    for name in names:
        known = [nights[at][name] for at in times if name in nights[at]]
        middle = median(known) if known else None
        rows.append(
            [
                round(100 * (nights[at][name] / middle - 1), 3)
                if middle and name in nights[at]
                else None
                for at in times
            ]
        )
    data: list[Json] = [
        {
            "type": "heatmap",
            "x": list(times),
            "y": list(names),
            "z": rows,
            "zmid": 0,
            "colorscale": "RdBu",
            "colorbar": {"title": {"text": "%"}},
            "hovertemplate": "%{y}<br>%{x}<br>%{z:+.2f} %<extra></extra>",
        }
    ]
    hidden = len(recipe.judged.boards) - len(names)
    return Chart(
        "heat",
        "Boards by night",
        f"p50 of {len(names)} boards over {len(times)} nights, in % of each board's own median: "
        "red is slower, blue is faster, empty was not measured or not used",
        data,
        {"yaxis": {"autorange": "reversed", "type": "category"}, "xaxis": {"type": "category"}},
        f"{hidden} more boards" if hidden > 0 else "",
    )


def _trend(recipe: RecipeReport) -> Chart | None:
    points = [one for one in recipe.trend if one.p50_ms is not None]
    if not points:
        return None
    times = [one.at for one in points]
    values = [one.p50_ms or 0.0 for one in points]
    shapes: list[Json] = []
    notes: list[Json] = []
    changed = [
        (one.at, f"{one.change:+.1%}") for one in recipe.judged.change_points if not one.board
    ]
    changed += [(one.at, f"{one.kind} {one.before} → {one.after}") for one in recipe.judged.marks]
    for at, text in changed:
        shapes.append(
            {
                "type": "line",
                "x0": at,
                "x1": at,
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "line": {"dash": "dot", "width": 1},
            }
        )
        notes.append(
            {
                "x": at,
                "yref": "paper",
                "y": 1,
                "text": _plain(text),
                "showarrow": False,
                "xanchor": "right",
            }
        )
    data: list[Json] = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "x": list(times),
            "y": list(values),
            "name": "median board",
        }
    ]
    said = "; ".join(f"{at[:10]} {text}" for at, text in changed)
    return Chart(
        "trend",
        "Trend of the fleet",
        f"p50 of the median board, {values[0]:.3f} ms in the first of {len(values)} nights and "
        f"{values[-1]:.3f} ms in the last. {said or 'No change points, no marks.'}",
        data,
        {"yaxis": {"title": {"text": "ms"}}, "shapes": shapes, "annotations": notes},
    )


def _sensors(recipe: RecipeReport) -> Chart | None:
    known = {one.board: one for one in recipe.outcomes}
    data: list[Json] = []
    for name in _order(recipe):
        measured = known[name].measurement if name in known else None
        if measured is None or not measured.block_sizes or not measured.samples_ns:
            continue
        for axis, values in enumerate(_of_blocks(measured), start=1):
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": list(range(1, len(values) + 1)),
                    "y": list(values),
                    "name": _title(known[name]),
                    "legendgroup": name,
                    "showlegend": axis == 1,
                    "yaxis": f"y{axis}" if axis > 1 else "y",
                }
            )
        if len(data) >= 3 * MOST_LINES:
            break
    if not data:
        return None
    layout: dict[str, Json] = {
        "xaxis": {"title": {"text": "block"}, "anchor": "y3"},
        "yaxis": {"title": {"text": "ms"}, "domain": [0.7, 1]},
        "yaxis2": {"title": {"text": "°C"}, "domain": [0.36, 0.64]},
        "yaxis3": {"title": {"text": "NPU MHz"}, "domain": [0, 0.3], "rangemode": "tozero"},
        "height": 560,
    }
    left = len(recipe.judged.boards) - len(data) // 3
    return Chart(
        "sensors",
        "Temperature and clock beside latency",
        "Block by block: the block's median in ms, the temperature and the NPU's clock after it",
        data,
        layout,
        f"{left} more boards are in report.json" if left > 0 else "",
    )


def _of_blocks(measured: Measurement) -> tuple[list[Json], list[Json], list[Json]]:
    ends = list(accumulate(measured.block_sizes))
    parts = zip(ends, measured.block_sizes, strict=True)
    medians: list[Json] = [
        median(measured.samples_ns[end - size : end]) / 1e6 for end, size in parts if size
    ]
    after: Sequence[Mapping[str, Json]] = measured.readings[1:]
    return (
        medians,
        [number(one, "temperature_c") for one in after],
        [number(one, "npu_clock_mhz") for one in after],
    )


def _some(outcome: BoardOutcome) -> list[float]:
    """Give at most MOST_POINTS samples of a board in ms, spread over all of them, with the ends."""
    samples = outcome.measurement.samples_ns if outcome.measurement else ()
    step = max(1, -(-len(samples) // MOST_POINTS))
    kept = {*samples[::step], min(samples), max(samples)} if step > 1 else samples
    return [round(one / 1e6, 4) for one in sorted(kept)]


def _title(outcome: BoardOutcome) -> str:
    return _plain(outcome.title)


def _plain(text: str) -> str:
    """Plotly reads some tags in texts: there are none."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
