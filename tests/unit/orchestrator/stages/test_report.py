from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.conditions import CONDITION_COLUMNS
from orchestrator.domain import (
    Agreement,
    Attempt,
    BoardOutcome,
    Evidence,
    Judged,
    Measurement,
    RunRecord,
)
from orchestrator.stages.report import report_json, write_report
from orchestrator.table import COLUMNS

#: Columns that no board here has anything in.
HIDDEN = 4
RUN = RunRecord("r1", "deploy", "lab", "small", "2025-01-01", None, 1, {"pulsar2": "5.2"})
MEASURED = BoardOutcome(
    "b1",
    simulated=False,
    facts={"chip_type": "AX650N_CHIP"},
    measurement=Measurement("b1", 1, 1, (), (4_000_000, 5_000_000), {}, {}, {}),
    judged=Judged("VALID"),
    agreement=Agreement(0.5, 0.25, (0.5,), 1),
)
LOST = BoardOutcome("b2", False, {}, error_code="UNREACHABLE", error="b2: it said | \nä", hint="h")


def test_the_json_report_has_raw_samples_and_figures(tmp_path: Path) -> None:
    path, *_ = write_report(RUN, [MEASURED, LOST], tmp_path / "new" / "r1")

    report = json.loads(path.read_text(encoding="utf-8"))
    assert (report["version"], report["run"]["run_id"]) == (2, "r1")
    first, second = report["boards"]
    assert first["outcome"]["measurement"]["samples_ns"] == [4_000_000, 5_000_000]
    assert (first["latency"]["p50_ms"], first["latency"]["p99_ms"]) == (4, None)
    assert first["latency"]["p50_interval_ms"] is None
    assert (second["latency"], second["outcome"]["error"]) == (None, "b2: it said | \nä")


def test_the_parts_of_a_call_are_told_in_json_and_in_a_table_of_their_own(tmp_path: Path) -> None:
    assert MEASURED.measurement is not None
    parts = {"pre": (7_000, 9_000), "npu": (3_000_000, 3_500_000)}
    seen = replace(MEASURED, measurement=replace(MEASURED.measurement, parts_ns=parts))

    path, _, markdown = write_report(RUN, [seen, LOST], tmp_path)

    first, second = json.loads(path.read_text(encoding="utf-8"))["boards"]
    told = {"pre": 0.007, "copy_in": None, "npu": 3.0, "copy_out": None, "post": None}
    assert (first["parts_ms"], second["parts_ms"]) == (told, None)
    lines = markdown.read_text(encoding="utf-8").splitlines()
    at = lines.index("## Where the time goes: medians in ms")
    assert lines[at + 2] == "| board | pre | copy in | NPU | copy out | post |"
    assert lines[at + 4 : at + 6] == ["| b1 | 0.007 | - | 3.000 | - | - |", ""]


def test_a_measurement_that_is_none_tells_no_parts(tmp_path: Path) -> None:
    assert MEASURED.measurement is not None
    measurement = replace(MEASURED.measurement, parts_ns={"npu": (3, 4)})
    broken = replace(MEASURED, measurement=measurement, judged=Judged("INVALID"))

    _, _, path = write_report(RUN, [broken], tmp_path)

    assert "Where the time goes" not in path.read_text(encoding="utf-8")


def test_a_measurement_without_samples_has_no_figures() -> None:
    empty = BoardOutcome("b", False, {}, measurement=Measurement("b", 1, 1, (), (), {}, {}, {}))

    assert '"latency": null' in json.dumps(report_json(RUN, [empty]))


def test_the_csv_has_a_line_per_board_with_empty_cells_empty(tmp_path: Path) -> None:
    _, path, _ = write_report(RUN, [MEASURED, LOST], tmp_path)

    with path.open(newline="", encoding="utf-8") as stream:
        first, second = csv.DictReader(stream)
    assert set(first) == {name for name, _ in COLUMNS} | {"error"}
    assert (first["board"], first["p50 ms"], first["p99 ms"]) == ("b1", "4.000", "")
    assert (second["verdict"], second["error"]) == ("failed: UNREACHABLE", "b2: it said | \nä")


def test_the_markdown_is_a_table_of_boards_with_accuracy_and_failures_below(tmp_path: Path) -> None:
    _, _, path = write_report(RUN, [MEASURED, LOST], tmp_path)

    lines = path.read_text(encoding="utf-8").splitlines()
    conditions = lines.index("## Conditions")
    accuracy = next(n for n, line in enumerate(lines) if line.startswith("## Accuracy"))
    assert any("float ONNX" in line for line in lines[accuracy:])
    rows = [line for line in lines[:conditions] if line.startswith("|")]
    assert len(rows) == 4
    assert {row.count("|") for row in rows} == {len(COLUMNS) - HIDDEN + 1}
    told = [line for line in lines[conditions:accuracy] if line.startswith("|")]
    assert {row.count("|") for row in told} == {len(CONDITION_COLUMNS) + 1}
    assert len(told) == 3
    assert "## Failures" in lines
    assert any(line.startswith("- b2: it said") for line in lines)
    assert "imulated" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["a | b", "a\nb", "<script>alert(1)</script>"])
def test_what_a_board_says_stays_in_its_cell(tmp_path: Path, text: str) -> None:
    hostile = BoardOutcome("b1", False, {"chip_type": text, "sdk_version": text}, error=text)

    _, _, path = write_report(RUN, [hostile], tmp_path)

    lines = path.read_text(encoding="utf-8").splitlines()
    (row,) = (line for line in lines if line.startswith("| b1 "))
    assert row.replace("\\|", "").count("|") == len(COLUMNS) - HIDDEN + 1
    assert not any("<script" in line for line in lines)
    assert lines[-1].startswith("- ")
    assert lines[-2] == ""


def test_a_simulated_run_says_so_above_the_table(tmp_path: Path) -> None:
    _, _, path = write_report(RUN, [BoardOutcome("s", True, {})], tmp_path)

    assert "**Simulated boards**" in path.read_text(encoding="utf-8").split("|")[0]


def test_a_verdict_that_is_not_valid_has_its_evidence_below_the_tables(tmp_path: Path) -> None:
    fell = Evidence("THROTTLED", "npu_clock_mhz", "the NPU clock fell from 800 to 400 MHz", 1)
    assert MEASURED.measurement is not None
    earlier = Attempt(MEASURED.measurement, Judged("THROTTLED", (fell,)))
    one = replace(MEASURED, judged=Judged("THROTTLED", (fell,)), attempts=(earlier,))

    path, _, markdown = write_report(RUN, [one], tmp_path)

    lines = markdown.read_text(encoding="utf-8").splitlines()
    said = "THROTTLED: the NPU clock fell from 800 to 400 MHz"
    at = lines.index("## Verdicts")
    assert lines[at + 2 : at + 4] == [f"- b1: try 1, p50 4.000 ms: {said}", f"- b1: {said}"]
    (board,) = json.loads(path.read_text(encoding="utf-8"))["boards"]
    assert board["outcome"]["judged"]["evidence"][0]["block"] == 1
    assert board["outcome"]["attempts"][0]["measurement"]["samples_ns"] == [4_000_000, 5_000_000]
