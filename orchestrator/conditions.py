"""Under which conditions boards were measured: the rows of the second table. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.blocks import blocks
from orchestrator.domain import BoardOutcome, Json, Judged, Measurement
from orchestrator.latency import latency_of
from orchestrator.sensors import MIB, number, seen

#: Header and whether the column holds numbers; `a → b` is before and after.
CONDITION_COLUMNS = (
    ("board", False),
    ("°C", True),
    ("NPU MHz", True),
    ("CMM MiB", True),
    ("drift", True),
    ("blocks", True),
    ("warm-up", False),
    ("overhead µs", True),
    ("tries", True),
    ("judged", False),
)
_EMPTY = "-"


def condition_rows(outcomes: Sequence[BoardOutcome]) -> list[tuple[str, ...]]:
    """Give the cells of every board that was measured, in the order of CONDITION_COLUMNS."""
    return [_row(one, one.measurement) for one in outcomes if one.measurement is not None]


def _row(outcome: BoardOutcome, measured: Measurement) -> tuple[str, ...]:
    parts = blocks(measured)
    drift = parts[-1].p50_ns / parts[0].p50_ns - 1 if parts and parts[0].p50_ns > 0 else None
    overhead, judged = measured.overhead_ns, outcome.judged
    return (
        outcome.title,
        _course(measured, "temperature_c", 1, ".1f"),
        _course(measured, "npu_clock_mhz", 1, ".0f"),
        _course(measured, "cmm_used_bytes", MIB, ".1f"),
        _EMPTY if drift is None else f"{drift:+.1%}",
        str(len(measured.block_sizes) or _EMPTY),
        _warmup(measured),
        _EMPTY if overhead is None else f"{overhead / 1e3:.1f}",
        str(len(outcome.attempts) + 1),
        _EMPTY if judged is None else judged.verdict,
    )


def _course(measured: Measurement, key: str, unit: float, form: str) -> str:
    """Give `before → after`; with what lies outside of both in between, `before → peak → after`."""
    ends = [number(measured.before, key), number(measured.after, key)]
    known = [format(one / unit, form) if one is not None else _EMPTY for one in ends]
    values = [one.value for one in seen(measured, key)]
    if known == [_EMPTY, _EMPTY] and not values:
        return _EMPTY
    low, high = min(values, default=None), max(values, default=None)
    bounds = [one for one in ends if one is not None]
    for extreme, outside in ((low, min), (high, max)):
        beyond = extreme is not None and bounds and extreme != outside([*bounds, extreme])
        if extreme is not None and not beyond and extreme not in bounds:
            return f"{known[0]} → {format(extreme / unit, form)} → {known[1]}"
    return known[0] if known[0] == known[1] else " → ".join(known)


def _warmup(measured: Measurement) -> str:
    runs = len(measured.warmup_ns)
    return f"{measured.warmup_ended}, {runs}" if measured.warmup_ended else str(runs)


def findings(outcomes: Sequence[BoardOutcome]) -> list[tuple[str, str]]:
    """Give what stands against the measurements, in order: of which board, and what.

    Attempts before the one that counts come first. A simulated board's are told where its times
    are scripted: else they are this machine's, which is busy with other things.
    """
    found: list[tuple[str, str]] = []
    for outcome in outcomes:
        if outcome.simulated and scripted(outcome.measurement) is None:
            continue
        for number_, attempt in enumerate(outcome.attempts, start=1):
            p50 = _p50(attempt.measurement)
            found.append((outcome.board, f"try {number_}{p50}: {_told(attempt.judged)}"))
        if outcome.judged is not None and outcome.judged.evidence:
            found.append((outcome.board, _told(outcome.judged)))
    return found


def scripted(measured: Measurement | None) -> Json:
    """Give the trace that a simulated board has followed; None where its times are real."""
    return None if measured is None else measured.runtime.get("trace")


def told_of_simulated(outcomes: Sequence[BoardOutcome]) -> str:
    """Say whose the times of simulated boards are; empty where no board is simulated."""
    simulated = [one for one in outcomes if one.simulated]
    told = [scripted(one.measurement) is not None for one in simulated if one.measurement]
    if not simulated:
        return ""
    if not any(told):
        return "times are of this machine's CPU, not of an NPU"
    others = "" if all(told) else "; others are of this machine's CPU"
    return f"scripted times are made up by a trace{others}, none is of an NPU"


def _p50(measured: Measurement) -> str:
    latency = latency_of(measured)
    return "" if latency is None else f", p50 {latency.p50_ms:.3f} ms"


def _told(judged: Judged) -> str:
    return f"{judged.verdict}: {'; '.join(map(str, judged.evidence)) or 'nothing against it'}"
