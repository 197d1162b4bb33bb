"""A night in the OpenMetrics text format: a file for Prometheus' textfile collector."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from orchestrator.domain import BoardEffect, Figures, NightReport

#: Name, unit and meaning of each gauge.
_GAUGES = (
    ("orch_latency_seconds", "seconds", "Latency of an inference, by quantile."),
    (
        "orch_change_ratio",
        "ratio",
        "Change of the median against the baseline, 0.01 is 1 % slower.",
    ),
    ("orch_agreement_ratio", "ratio", "Agreement with the float model."),
    ("orch_temperature_celsius", "celsius", "Highest temperature during the measurement."),
    ("orch_verdict", "", "1 for the verdict that a board got: PASS, FAIL, INCONCLUSIVE or ERROR."),
    ("orch_night_verdict", "", "1 for the verdict of the fleet's night."),
    ("orch_night_timestamp_seconds", "seconds", "When the night began."),
)
_VERDICTS = ("PASS", "FAIL", "INCONCLUSIVE", "ERROR")


def openmetrics(report: NightReport) -> str:
    """Give the text; every series says fleet, recipe and board, and whether it is simulated."""
    lines: dict[str, list[str]] = {name: [] for name, _, _ in _GAUGES}
    night = report.night
    for recipe in report.recipes:
        effects = {one.board: one for one in recipe.judged.boards}
        for one in recipe.figures:
            for name, labels, value in _series(one, effects.get(one.board)):
                lines[name].append(_line(name, {"fleet": night.fleet, **labels}, value))
    for verdict in _VERDICTS[:3]:
        labels = {"fleet": night.fleet, "verdict": verdict}
        lines["orch_night_verdict"].append(
            _line("orch_night_verdict", labels, float(night.verdict == verdict))
        )
    began = datetime.fromisoformat(night.started_at).timestamp()
    lines["orch_night_timestamp_seconds"].append(
        _line("orch_night_timestamp_seconds", {"fleet": night.fleet}, began)
    )
    text = []
    for name, unit, meaning in _GAUGES:
        text += [f"# TYPE {name} gauge", *([f"# UNIT {name} {unit}"] if unit else [])]
        text += [f"# HELP {name} {meaning}", *lines[name]]
    return "\n".join([*text, "# EOF", ""])


def _series(
    one: Figures, effect: BoardEffect | None
) -> Iterator[tuple[str, dict[str, str], float]]:
    known = {
        "recipe": one.recipe,
        "board": one.board,
        "simulated": "true" if one.simulated else "false",
    }
    for quantile, value in (("0.5", one.p50_ms), ("0.9", one.p90_ms), ("0.99", one.p99_ms)):
        if value is not None:
            yield "orch_latency_seconds", {**known, "quantile": quantile}, value / 1000
    if effect is not None and effect.effect is not None:
        yield "orch_change_ratio", known, effect.effect.change
    if one.agreement is not None:
        yield "orch_agreement_ratio", known, one.agreement
    if one.temperature_c is not None:
        yield "orch_temperature_celsius", known, one.temperature_c
    got = "ERROR" if one.error_code else effect.verdict if effect is not None else "INCONCLUSIVE"
    for verdict in _VERDICTS:
        yield "orch_verdict", {**known, "verdict": verdict}, float(got == verdict)


def _line(name: str, labels: dict[str, str], value: float) -> str:
    said = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{said}}} {value:.9g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
