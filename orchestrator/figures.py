"""A board's outcome in a run → its figures in short, for history. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate

from orchestrator.domain import BoardOutcome, Figures, Json, Measurement, Origin, RunRecord
from orchestrator.latency import latency_of, parts_of, tool_figures
from orchestrator.sensors import number
from orchestrator.stats import percentile


def figures_of(run: RunRecord, outcome: BoardOutcome) -> Figures:
    """Give what a board's outcome comes to; a runtime without samples has its own median only."""
    measured, facts = outcome.measurement, outcome.facts
    latency = latency_of(measured)
    parts = None if measured is None else parts_of(measured)
    tool = None if measured is None else tool_figures(measured)
    held = None if latency is None else latency.p50_interval_ms
    origin = outcome.origin or Origin("", str(run.summary.get("pulsar2") or ""), "")
    night = run.summary.get("night")
    agreed, accuracy = outcome.agreement, outcome.accuracy
    between = None if agreed is None else agreed.interval
    miou_between = None if agreed is None else agreed.miou_interval
    return Figures(
        run_id=run.run_id,
        board=outcome.board,
        recipe=run.recipe,
        fleet=run.fleet,
        at=run.started_at,
        night=night if isinstance(night, str) else "",
        site=origin.site,
        simulated=outcome.simulated,
        verdict=outcome.judged.verdict if outcome.judged and measured else "",
        error_code=outcome.error_code,
        n=latency.n if latency else tool.n if tool else 0,
        p50_ms=latency.p50_ms if latency else tool.p50_ms if tool else None,
        low_ms=held[0] if held else None,
        high_ms=held[1] if held else None,
        p90_ms=latency.p90_ms if latency else None,
        p99_ms=latency.p99_ms if latency else None,
        npu_ms=parts.npu if parts else None,
        rounds_ms=rounds_ms(measured) if latency else (),
        rounds_unused=len(outcome.attempts),
        temperature_c=_most(measured, "temperature_c"),
        npu_clock_mhz=_least(measured, "npu_clock_mhz"),
        agreement=agreed.share if agreed else None,
        agreement_low=between[0] if between else None,
        agreement_high=between[1] if between else None,
        miou=agreed.miou if agreed else None,
        miou_low=miou_between[0] if miou_between else None,
        miou_high=miou_between[1] if miou_between else None,
        mask_miou=accuracy.miou if accuracy else None,
        output_sha256=outcome.output_sha256,
        release_id=outcome.delivery.release_id if outcome.delivery else "",
        pulsar2=origin.pulsar2,
        toolchain_digest=origin.toolchain_digest,
        sdk=_text(facts, "sdk_version"),
        kernel=_text(facts, "kernel"),
        chip=_text(facts, "chip_type"),
        max_cycle=origin.max_cycle,
    )


def rounds_ms(measurement: Measurement | None) -> tuple[float, ...]:
    """Give p50 of each round, in ms; one for a measurement that was made at once."""
    if measurement is None or not measurement.samples_ns:
        return ()
    sizes = measurement.round_sizes or (len(measurement.samples_ns),)
    ends = list(accumulate(sizes))
    parts = (
        measurement.samples_ns[end - size : end] for size, end in zip(sizes, ends, strict=True)
    )
    return tuple(percentile(sorted(one), 50) / 1e6 for one in parts if one)


def _read(measurement: Measurement | None, key: str) -> list[float]:
    """Give all that a sensor said during a measurement."""
    if measurement is None:
        return []
    all_of: Iterable[Mapping[str, Json]] = (
        measurement.before,
        *measurement.readings,
        measurement.after,
    )
    return [value for one in all_of if (value := number(one, key)) is not None]


def _most(measurement: Measurement | None, key: str) -> float | None:
    return max(_read(measurement, key), default=None)


def _least(measurement: Measurement | None, key: str) -> float | None:
    return min(_read(measurement, key), default=None)


def _text(facts: Mapping[str, Json], key: str) -> str:
    value = facts.get(key)
    return "" if value is None else str(value)
