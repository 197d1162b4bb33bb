"""What the vendor's `ax_run_model` prints → values. Pure.

Layouts that are known: of SDK V1.13 (`NPU1`, three figures), of engine 2.3 (`1 Core`, three
figures), of AX620E (`Half`, `Full`) and of SDK V3 (median and percentiles as well).
Sources: Pulsar2's page on the tool, and what boards print.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.domain import Json

#: Colours, cursor moves and window titles of terminals.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_FIGURE = re.compile(
    r"(?<![\w.%])(min|max|avg|average|mean|median|\d{1,3}(?:\.\d+)?\s*%)\s*[=:]\s*"
    r"(\d+(?:\.\d+)?)\s*ms\b"
)
_KEYS = (
    *("type", "vnpu", "affinity", "warmup", "repeat", "batch"),
    *(r"pulsar2\s+ver", r"engine\s+ver", r"axclrt\s+ver", r"tool\s+ver", r"cmm\s+size"),
)
#: A library's log line may have put its own mark in front.
_FIELD = re.compile(rf"^(?:.*?[\]>|])?\s*({'|'.join(_KEYS)})\s*:\s*(.*?)\s*$")
_LIBRARY = re.compile(r"^\[Axera version\]:\s*\S+\s+")
_CORES = re.compile(r"NPU\s*(\d)|(\d)\s*[Cc]ore")
_CORE_WORDS = {"single": 1, "dual": 2, "triple": 3}

#: What it or the engine below it prints when it fails, and the error code that means.
_FAILURES = (
    (
        re.compile(
            r"not allowed (with|when) v?npu|already inited to mode|affinity cannot be set|"
            r"[Mm]odel type .* not allowed"
        ),
        "VNPU_CONFLICT",
    ),
    (re.compile(r"[Aa]lloc\w* .*(fail|cmm)|[Nn]o enough (cmm|memory)|CMM"), "CMM_FULL"),
    (re.compile(r"[Ii]nit (ax sys|engine|failed)|Init engine with mode"), "INIT_FAILED"),
    (
        re.compile(
            r"[Cc]reate handle|[Ll]oad(ing)? model|[Ii]nvalid model|[Gg]et model type|"
            r"[Pp]repare for model"
        ),
        "MODEL_REJECTED",
    ),
    (
        re.compile(
            r"input .*(size|not (exist|found|match))|[Cc]annot open input|"
            r"[Ff]eed stimulus|[Rr]ead stimulus"
        ),
        "INPUT_MISMATCH",
    ),
)

#: Percentiles come from the other end where the tool has sorted its samples downwards.
_WHOLE = 100


@dataclass(frozen=True, slots=True)
class ToolRun:
    """One run of the tool: it sums its samples up itself and gives none of them.

    Attributes:
        percentiles_ms: by percent; empty where the tool is too old to give any.
        repeat: how many runs the figures are of.
        model_type: as printed: `NPU1`, `3 Core`, `Half`.
        cores: how many the model was compiled for, where the type says so.
        cmm_bytes: what the model takes of the NPU's memory.
        remarks: what is odd about the figures.
    """

    min_ms: float
    max_ms: float
    mean_ms: float
    median_ms: float | None
    percentiles_ms: Mapping[float, float]
    repeat: int | None
    warmup: int | None = None
    model_type: str | None = None
    cores: int | None = None
    vnpu: str | None = None
    affinity: str | None = None
    batch: str | None = None
    pulsar2_version: str | None = None
    engine_version: str | None = None
    tool_version: str | None = None
    cmm_bytes: int | None = None
    remarks: tuple[str, ...] = ()


def parse_run(text: str) -> ToolRun | None:
    """Read what the tool printed; None where there are no sound figures, whatever it returned.

    Where there are several sets of figures the last one counts.
    """
    plain = _plain(text)
    figures = _figures(plain)
    if not {"min", "max", "avg"} <= figures.keys() or not _in_order(figures):
        return None
    fields = _fields(plain)
    percentiles, remarks = _percentiles(figures)
    engine = fields.get("engine ver") or fields.get("axclrt ver")
    return ToolRun(
        min_ms=figures["min"],
        max_ms=figures["max"],
        mean_ms=figures["avg"],
        median_ms=figures.get("median"),
        percentiles_ms=percentiles,
        repeat=_leading_integer(fields.get("repeat")),
        warmup=_leading_integer(fields.get("warmup")),
        model_type=fields.get("type"),
        cores=_cores(fields.get("type", "")),
        vnpu=fields.get("vnpu"),
        affinity=fields.get("affinity"),
        batch=fields.get("batch"),
        pulsar2_version=fields.get("pulsar2 ver"),
        engine_version=_LIBRARY.sub("", engine) if engine else None,
        tool_version=fields.get("tool ver"),
        cmm_bytes=_leading_integer(fields.get("cmm size")),
        remarks=remarks,
    )


def summary_of(run: ToolRun) -> dict[str, Json]:
    """Give its figures as the result of `benchmark` has them, in ms."""
    percentiles: dict[str, Json] = {
        f"{percent:g}": value for percent, value in sorted(run.percentiles_ms.items())
    }
    return {
        "iterations": run.repeat,
        "min_ms": run.min_ms,
        "max_ms": run.max_ms,
        "mean_ms": run.mean_ms,
        "median_ms": run.median_ms,
        "percentiles_ms": percentiles,
    }


def runtime_of(run: ToolRun) -> dict[str, Json]:
    """Give what it said of itself, the engine and the model."""
    return {
        "engine_version": run.engine_version,
        "compiler_version": run.pulsar2_version,
        "model_type": run.model_type,
        "cores": run.cores,
        "vnpu": run.vnpu,
        "affinity": run.affinity,
        "batch": run.batch,
        "tool_version": run.tool_version,
        "cmm_bytes": run.cmm_bytes,
    }


def failure_code(text: str) -> str:
    """Name the failure that the tool's lines tell of; RUN_FAILED where they tell of none."""
    plain = _plain(text)
    return next((code for known, code in _FAILURES if known.search(plain)), "RUN_FAILED")


def last_words(text: str) -> str:
    """Give the line that says best why it failed: its last error, else its last line."""
    lines = [line.strip() for line in _plain(text).splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line or "fail" in line.lower()]
    return (errors or lines or ["nothing"])[-1][:200]


def _plain(text: str) -> str:
    """Take away what a terminal or a transfer has added."""
    return _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _figures(plain: str) -> dict[str, float]:
    named = {"average": "avg", "mean": "avg"}
    found = ((re.sub(r"\s", "", name), float(value)) for name, value in _FIGURE.findall(plain))
    return {named.get(name, name): value for name, value in found}


def _in_order(figures: Mapping[str, float]) -> bool:
    """Say whether the figures can be those of one run: what is printed has three decimals."""
    least, mean, most = (figures[name] for name in ("min", "avg", "max"))
    return mean > 0 and least - 0.001 <= mean <= most + 0.001


def _fields(plain: str) -> dict[str, str]:
    """Read the lines `name: value`; what is empty was not told."""
    matches = (_FIELD.match(line) for line in plain.splitlines())
    found = ((one.group(1), one.group(2)) for one in matches if one and one.group(2))
    return {" ".join(name.split()): " ".join(value.split()) for name, value in found}


def _percentiles(figures: Mapping[str, float]) -> tuple[dict[float, float], tuple[str, ...]]:
    """Give the percentiles by percent; turned round where the tool counted from the slow end.

    Tool 2.3.3 does so: it prints a 5 % above its 99 %.
    """
    found = {float(key[:-1]): value for key, value in figures.items() if key.endswith("%")}
    ordered = [found[percent] for percent in sorted(found)]
    if ordered == sorted(ordered):
        return found, ()
    if ordered == sorted(ordered, reverse=True):
        turned = {round(_WHOLE - percent, 3): value for percent, value in found.items()}
        return turned, ("it counts its percentiles from the slow end: they were turned round",)
    return {}, ("its percentiles neither rise nor fall: they were left out",)


def _cores(model_type: str) -> int | None:
    if found := _CORES.search(model_type):
        return int(found.group(1) or found.group(2))
    return next((n for word, n in _CORE_WORDS.items() if word in model_type.lower()), None)


def _leading_integer(text: str | None) -> int | None:
    found = re.match(r"\d+", text or "")
    return int(found.group()) if found else None
