"""A night as JUnit XML: a case for each board and recipe, for CI systems."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from orchestrator.domain import BoardEffect, Figures, NightReport, RecipeReport
from orchestrator.reports.screen import change

#: What XML 1.0 cannot hold.
_CONTROL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: NightReport) -> str:
    """Give the XML: FAIL is a failure, what could not be done an error, INCONCLUSIVE is skipped."""
    root = ET.Element("testsuites", name=_text(f"orch verify {report.night.fleet}"))
    for recipe in report.recipes:
        root.append(_suite(report, recipe))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(report: NightReport, recipe: RecipeReport) -> ET.Element:
    effects = {one.board: one for one in recipe.judged.boards}
    cases = [_case(report, one, effects.get(one.board)) for one in recipe.figures]
    suite = ET.Element("testsuite", name=_text(recipe.judged.recipe), tests=str(len(cases)))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(1 for case in cases if case.find(tag) is not None)))
    suite.set("timestamp", report.night.started_at[:19])
    suite.extend(cases)
    return suite


def _case(report: NightReport, figures: Figures, effect: BoardEffect | None) -> ET.Element:
    seconds = (figures.n * (figures.p50_ms or 0.0)) / 1000
    simulated = " (simulated)" if figures.simulated else ""
    case = ET.Element(
        "testcase",
        classname=_text(f"{report.night.fleet}.{figures.recipe}"),
        name=_text(figures.board + simulated),
        time=f"{seconds:.3f}",
    )
    reasons = "\n".join(effect.reasons) if effect is not None else ""
    if figures.error_code:
        told = report.night.failed_boards.get(figures.board, figures.error_code)
        ET.SubElement(case, "error", type=figures.error_code, message=_text(told))
    elif effect is not None and effect.verdict == "FAIL":
        found = ET.SubElement(case, "failure", type="FAIL", message=_text(reasons.split("\n")[0]))
        found.text = _text(reasons)
    elif effect is None or effect.verdict == "INCONCLUSIVE":
        ET.SubElement(case, "skipped", message=_text(reasons.split("\n")[0] or "inconclusive"))
    if effect is not None and effect.effect is not None and figures.p50_ms is not None:
        out = ET.SubElement(case, "system-out")
        out.text = f"p50 {figures.p50_ms:.3f} ms, {change(effect.effect)} against its baseline"
    return case


def _text(said: str) -> str:
    return _CONTROL.sub("\ufffd", said)
