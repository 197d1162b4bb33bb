"""All files of a night's report."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from orchestrator.domain import Link, NightReport
from orchestrator.reports.csv_files import measurements_csv, samples_csv
from orchestrator.reports.html import write_html
from orchestrator.reports.json_report import night_json
from orchestrator.reports.junit import junit
from orchestrator.reports.markdown import markdown
from orchestrator.reports.openmetrics import openmetrics


def write_night(report: NightReport, folder: Path, head: Link | None) -> Sequence[tuple[str, str]]:
    """Write every format; give each file's name with its sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "report.json": json_text(report, head),
        "report.md": markdown(report),
        "junit.xml": junit(report),
        "measurements.csv": measurements_csv(report),
        "samples.csv": samples_csv(report),
        "metrics.prom": openmetrics(report),
    }
    for name, text in texts.items():
        _write_whole(folder / name, text)
    write_html(report, folder / "report.html", head)
    names = (*texts, "report.html")
    return [(name, sha256((folder / name).read_bytes()).hexdigest()) for name in names]


def json_text(report: NightReport, head: Link | None) -> str:
    """Give `report.json`."""
    return json.dumps(night_json(report, head), indent=1, ensure_ascii=False) + "\n"


def _write_whole(path: Path, text: str) -> None:
    """Write a file that is never seen half: a collector may read it at any moment."""
    half = path.with_name(f".{path.name}.half")
    half.write_text(text, encoding="utf-8")
    os.replace(half, path)  # noqa: PTH105 - atomic, over what was there
