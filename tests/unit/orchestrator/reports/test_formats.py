"""A night in every format that programs read."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from orchestrator.domain import NightReport
from orchestrator.reports.csv_files import measurements_csv, samples_csv
from orchestrator.reports.html import write_html
from orchestrator.reports.json_report import night_json
from orchestrator.reports.junit import junit
from orchestrator.reports.markdown import markdown
from orchestrator.reports.openmetrics import openmetrics
from orchestrator.reports.redact import redact
from orchestrator.reports.schema import night_schema
from orchestrator.reports.screen import last_lines
from orchestrator.reports.trend_bars import bars
from orchestrator.reports.writing import write_night
from tests.unit.orchestrator.reports.made_night import SECRETS, made_night

REPORT = made_night()
HOSTILE = "</script><script>alert(1)</script>"


def hostile() -> NightReport:
    """A night whose boards say evil things."""
    night = replace(REPORT.night, failed_boards={"b02": f"{HOSTILE}\x00\x1b | =1+1"})
    recipe = REPORT.recipes[0]
    figures = (replace(recipe.figures[0], sdk=HOSTILE, kernel="=cmd()"), *recipe.figures[1:])
    return replace(REPORT, night=night, recipes=(replace(recipe, figures=figures),))


@pytest.mark.parametrize("report", [REPORT, hostile(), redact(REPORT)])
def test_the_json_report_is_what_its_schema_says(report: NightReport) -> None:
    found = json.loads(json.dumps(night_json(report)))

    jsonschema.Draft202012Validator(night_schema()).validate(found)
    assert found["version"] == 1


def test_the_schema_refuses_what_is_not_a_night() -> None:
    found = json.loads(json.dumps(night_json(REPORT)))
    found["night"]["verdict"] = "GREAT"

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(night_schema()).validate(found)


def test_the_published_schema_is_that_of_the_code() -> None:
    published = Path(__file__).parents[4] / "docs" / "reference" / "report.schema.json"

    assert json.loads(published.read_text()) == json.loads(json.dumps(night_schema()))


def test_junit_has_a_case_for_each_board_and_its_kind_of_failure() -> None:
    suite = ET.fromstring(junit(hostile()).encode())[0]  # noqa: S314 - our own

    assert suite.get("tests") == "12"
    assert suite.get("errors") == "1"
    assert suite.get("skipped") == "1"
    assert suite.get("failures") == "10"
    error = next(case for case in suite if case.get("name") == "b02")[0]
    assert error.tag == "error"
    assert HOSTILE in str(error.get("message"))


def test_csv_has_every_sample_with_its_round_and_block() -> None:
    rows = list(csv.DictReader(StringIO(samples_csv(REPORT))))

    assert len(rows) == 11 * 100
    assert (rows[49]["round"], rows[49]["block"]) == ("1", "2")
    assert (rows[50]["round"], rows[50]["block"]) == ("2", "3")
    assert int(rows[0]["ns"]) == 20_000_000


def test_a_spreadsheet_takes_no_text_for_a_formula() -> None:
    rows = list(csv.DictReader(StringIO(measurements_csv(hostile()))))

    assert rows[0]["kernel"] == "'=cmd()"
    assert float(rows[3]["change"]) == pytest.approx(0.05, abs=0.02)


def test_markdown_has_no_tag_of_a_board() -> None:
    assert "<script>" not in markdown(hostile())


def test_openmetrics_names_each_family_once_and_ends() -> None:
    text = openmetrics(REPORT)

    types = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(types) == len(set(types))
    assert text.endswith("# EOF\n")
    assert (
        'orch_verdict{fleet="lab-7",recipe="model",board="b02",simulated="false",verdict="ERROR"} 1'
        in text
    )
    assert re.search(r'orch_latency_seconds\{[^}]*board="b00"[^}]*quantile="0.5"\} 0\.02', text)


def test_a_redacted_night_tells_nobody_whose_boards_these_are(tmp_path: Path) -> None:
    report = redact(REPORT)

    write_night(report, tmp_path, None)
    for path in tmp_path.iterdir():
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".html":  # without the charts' own program
            text = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
        for secret in (*SECRETS, "lab-7"):
            assert not re.search(rf"(?<![\w-]){re.escape(secret)}(?![\w-])", text), (
                path.name,
                secret,
            )
    assert "board-01" in (tmp_path / "report.md").read_text()


def test_what_boards_say_is_inert_in_the_page(tmp_path: Path) -> None:
    write_html(hostile(), tmp_path / "report.html")

    text = (tmp_path / "report.html").read_text()
    assert "<script>alert(1)" not in text
    assert "&lt;/script&gt;" in text


def test_a_simulated_night_says_so_everywhere(tmp_path: Path) -> None:
    write_night(made_night(simulated=True), tmp_path, None)

    for path in tmp_path.iterdir():
        assert re.search("simulated|Simulated", path.read_text(encoding="utf-8")), path.name


def test_the_last_night_takes_ten_lines() -> None:
    lines = last_lines(REPORT)

    assert len(lines) <= 10
    assert lines[0].startswith("FAIL  fleet lab-7")
    assert any("toolchain 5.2" in line for line in lines)


def test_bars_show_where_a_series_goes() -> None:
    assert bars([1.0, None, 2.0]) == "▁ █"
    assert bars([1.0, 1.001]) == "▁▂"
    assert bars([None]) == ""
    assert bars([1.0, 2.0], plain=True) == ".%"
