"""Other instruments, contention and power: cells of the latency table, and their own tables. Pure.

What ax_run_model says is of the NPU alone, what we time is Python end to end: no column has both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.domain import BoardOutcome, Contender, Contention, Json, ToolMeasurement
from orchestrator.latency import latency_of, parts_of

_EMPTY = "-"
_MIB = 1024 * 1024
_PARTS = "Where the time goes: medians in ms"
_TOOL = "NPU (ax_run_model) beside Python end to end"
_CONTENTION = "Contention: several processes at once on one NPU"
_POWER = "Power"


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table; columns are headers and whether they hold numbers."""

    title: str
    columns: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[str, ...], ...]


def instrument_tables(outcomes: Sequence[BoardOutcome]) -> list[Table]:
    """Give a table for each of them that any board has."""
    tables = (
        Table(_PARTS, PARTS_COLUMNS, tuple(_parts_rows(outcomes))),
        Table(_TOOL, TOOL_COLUMNS, tuple(_tool_rows(outcomes))),
        Table(_CONTENTION, CONTENTION_COLUMNS, tuple(_contention_rows(outcomes))),
        Table(_POWER, POWER_COLUMNS, tuple(_power_rows(outcomes))),
    )
    return [table for table in tables if table.rows]


#: In the order of an inference; `pre` and `post` are not in the latency.
PARTS_COLUMNS = (
    ("board", False),
    ("pre", True),
    ("copy in", True),
    ("NPU", True),
    ("copy out", True),
    ("post", True),
)
TOOL_COLUMNS = (
    ("board", False),
    ("Python p50 ms", True),
    ("NPU median ms", True),
    ("NPU mean ms", True),
    ("NPU min ms", True),
    ("NPU p90 ms", True),
    ("NPU p99 ms", True),
    ("NPU max ms", True),
    ("n", True),
    ("type", False),
    ("VNPU", False),
    ("CMM MiB", True),
    ("Pulsar2", False),
    ("engine", False),
    ("tool", False),
)
CONTENTION_COLUMNS = (
    ("board", False),
    ("instrument", False),
    ("process", True),
    ("release", False),
    ("cores", False),
    ("figure", False),
    ("alone ms", True),
    ("together ms", True),
    ("slowdown", True),
    ("per s", True),
    ("overlap", True),
    ("verdict", False),
)
POWER_COLUMNS = (
    ("board", False),
    ("W", True),
    ("mJ", True),
    ("samples", True),
    ("calls", True),
    ("failed", True),
    ("simulated", False),
)


def tool_cell(outcome: BoardOutcome) -> str:
    """Give what ax_run_model said beside our own measurement: its median, else `… mean`."""
    tool = outcome.tool
    if tool is None or tool.figure_ms is None:
        return _EMPTY
    return f"{tool.figure_ms:.3f}" + (" mean" if tool.median_ms is None else "")


def power_cells(outcome: BoardOutcome) -> tuple[str, str]:
    """Give watts and millijoules of an inference; simulated ones say so."""
    power = outcome.power
    if power is None:
        return _EMPTY, _EMPTY
    mark = " simulated" if power.simulated else ""
    return (
        _EMPTY if power.mean_w is None else f"{power.mean_w:.2f}{mark}",
        _EMPTY if power.energy_mj is None else f"{power.energy_mj:.1f}{mark}",
    )


def _parts_rows(outcomes: Sequence[BoardOutcome]) -> Iterator[tuple[str, ...]]:
    for outcome in outcomes:
        parts = parts_of(outcome.measurement)
        invalid = outcome.judged is not None and outcome.judged.verdict == "INVALID"
        if parts is not None and not invalid:
            times = (parts.pre, parts.copy_in, parts.npu, parts.copy_out, parts.post)
            yield outcome.title, *(_EMPTY if one is None else f"{one:.3f}" for one in times)


def _tool_rows(outcomes: Sequence[BoardOutcome]) -> Iterator[tuple[str, ...]]:
    for outcome in outcomes:
        tool = outcome.tool
        if tool is None:
            continue
        name = outcome.title
        ours = None if outcome.measurement is None else latency_of(outcome.measurement)
        p50 = _EMPTY if ours is None else f"{ours.p50_ms:.3f}"
        if tool.error_code:
            empty = [_EMPTY] * (len(TOOL_COLUMNS) - 3)
            yield (name, p50, f"failed: {tool.error_code}", *empty)
        else:
            yield (name, p50, *_tool_figures(tool))


def _tool_figures(tool: ToolMeasurement) -> tuple[str, ...]:
    said, share = tool.runtime, tool.percentiles_ms
    times = (tool.median_ms, tool.mean_ms, tool.min_ms, share.get("90"), share.get("99"))
    cmm = said.get("cmm_bytes")
    return (
        *(_EMPTY if one is None else f"{one:.3f}" for one in (*times, tool.max_ms)),
        _text(tool.iterations),
        _text(said.get("model_type")),
        _text(said.get("vnpu")),
        f"{cmm / _MIB:.1f}" if isinstance(cmm, int) else _EMPTY,
        *(_text(said.get(key)) for key in ("compiler_version", "engine_version", "tool_version")),
    )


def _contention_rows(outcomes: Sequence[BoardOutcome]) -> Iterator[tuple[str, ...]]:
    for outcome in outcomes:
        contention = outcome.contention
        if contention is None:
            continue
        name = outcome.title
        if contention.error_code:
            empty = [_EMPTY] * (len(CONTENTION_COLUMNS) - 3)
            yield (name, contention.instrument, *empty, f"failed: {contention.error_code}")
            continue
        for number, one in enumerate(contention.contenders, start=1):
            yield (name, contention.instrument, str(number), *_contender(one, contention))
        verdict = contention.judged
        total = sum(one.per_s for one in contention.contenders)
        blank = [_EMPTY] * 6
        yield (
            name,
            contention.instrument,
            "all",
            *blank,
            f"{total:.1f}",
            f"{contention.overlap:.0%}",
            _EMPTY if verdict is None else verdict.verdict,
        )


def _contender(one: Contender, contention: Contention) -> tuple[str, ...]:
    return (
        one.release_id,
        _EMPTY if one.affinity is None else f"0b{one.affinity:03b}",
        one.figure,
        f"{one.alone_ms:.3f}",
        f"{one.together_ms:.3f}",
        f"{one.slowdown:.2f}x",
        f"{one.per_s:.1f}",
        f"{contention.overlap:.0%}",
        _EMPTY,
    )


def _power_rows(outcomes: Sequence[BoardOutcome]) -> Iterator[tuple[str, ...]]:
    for outcome in outcomes:
        power = outcome.power
        if power is not None:
            yield (
                outcome.board,
                _EMPTY if power.mean_w is None else f"{power.mean_w:.2f}",
                _EMPTY if power.energy_mj is None else f"{power.energy_mj:.1f}",
                str(len(power.watts)),
                str(power.calls),
                str(power.failures),
                "yes" if power.simulated else "no",
            )


def _text(value: Json) -> str:
    return _EMPTY if value is None else str(value)
