"""What the vendor's `ax_run_model` prints → values. Pure.

Three layouts are known: of SDK V1.13 (`NPU1`, three figures), of engine 2.3 (`1 Core`, three
figures) and of SDK V3 (median and percentiles as well). Source: Pulsar2's page on the tool.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_FIGURE = re.compile(r"(?<![\w%])(min|max|avg|median|\d{1,3}%)\s*=\s*(\d+(?:\.\d+)?)\s*ms")
_FIELD = re.compile(r"^\s*(type|vnpu|pulsar2 ver|engine ver|tool ver|repeat|cmm size):\s*(.+?)\s*$")
_LIBRARY = re.compile(r"^\[Axera version\]:\s*\S+\s+")
_CORES = re.compile(r"NPU(\d)|(\d) Core")

#: What it or the engine below it prints when it fails, and the error code that means.
_FAILURES = (
    (re.compile(r"is not allowed with npu mode|already inited to mode"), "VNPU_CONFLICT"),
    (re.compile(r"[Aa]lloc\w* .*(failed|cmm)|[Nn]o enough (cmm|memory)|CMM"), "CMM_FULL"),
    (re.compile(r"[Ii]nit (ax sys|engine)|Init engine with mode"), "INIT_FAILED"),
    (re.compile(r"[Cc]reate handle|[Ll]oad model|[Ii]nvalid model"), "MODEL_REJECTED"),
    (re.compile(r"input .*(size|not (exist|found|match))|[Cc]annot open input"), "INPUT_MISMATCH"),
)


@dataclass(frozen=True, slots=True)
class ToolRun:
    """One run of the tool: it sums its samples up itself and gives none of them.

    Attributes:
        percentiles_ms: by percent; empty where the tool is too old to give any.
        cores: how many the model was compiled for.
        cmm_bytes: what the model takes of the NPU's memory.
    """

    min_ms: float
    max_ms: float
    mean_ms: float
    median_ms: float | None
    percentiles_ms: Mapping[int, float]
    repeat: int | None
    cores: int | None
    vnpu: str | None
    pulsar2_version: str | None
    engine_version: str | None
    tool_version: str | None
    cmm_bytes: int | None


def parse_run(text: str) -> ToolRun | None:
    """Read what the tool printed; None where there are no figures, whatever it returned."""
    figures = {name: float(value) for name, value in _FIGURE.findall(text)}
    lines = (_FIELD.match(line) for line in text.splitlines())
    fields = {found.group(1): found.group(2) for found in lines if found}
    if not {"min", "max", "avg"} <= figures.keys():
        return None
    cores = _CORES.match(fields.get("type", ""))
    engine = fields.get("engine ver")
    return ToolRun(
        min_ms=figures["min"],
        max_ms=figures["max"],
        mean_ms=figures["avg"],
        median_ms=figures.get("median"),
        percentiles_ms={int(key[:-1]): figures[key] for key in figures if key.endswith("%")},
        repeat=_leading_integer(fields.get("repeat")),
        cores=int(cores.group(1) or cores.group(2)) if cores else None,
        vnpu=fields.get("vnpu"),
        pulsar2_version=fields.get("pulsar2 ver"),
        engine_version=_LIBRARY.sub("", engine) if engine else None,
        tool_version=fields.get("tool ver"),
        cmm_bytes=_leading_integer(fields.get("cmm size")),
    )


def failure_code(text: str) -> str:
    """Name the failure that the tool's lines tell of; RUN_FAILED where they tell of none."""
    return next((code for known, code in _FAILURES if known.search(text)), "RUN_FAILED")


def _leading_integer(text: str | None) -> int | None:
    found = re.match(r"\d+", text or "")
    return int(found.group()) if found else None
