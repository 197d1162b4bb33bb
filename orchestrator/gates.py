"""The recipe's gates: which board breaks which rule. Pure."""

from __future__ import annotations

from orchestrator.accuracy_gates import broken_accuracy_gates
from orchestrator.domain import BoardOutcome, Gates
from orchestrator.latency import Latency, latency_of

#: With fewer samples no two of them have p99 between them in 95 of 100 runs (1 - 0.99^n < 0.95).
MIN_SAMPLES_FOR_P99_GATE = 300


def broken_gates(outcome: BoardOutcome, gates: Gates) -> list[str]:
    """Say what of a board breaks which gate, with the numbers; also why it was undone."""
    broken = list(outcome.delivery.undone) if outcome.delivery else []
    broken += broken_accuracy_gates(outcome, gates)
    judged, latency = outcome.judged, latency_of(outcome.measurement)
    if latency is not None and (judged is None or judged.verdict != "INVALID"):
        broken += _too_slow(outcome.board, latency, gates)
    return broken


def _too_slow(board: str, latency: Latency, gates: Gates) -> list[str]:
    broken = [
        _over(board, label, value, held, most)
        for label, value, held, most in (
            ("p50", latency.p50_ms, latency.p50_interval_ms, gates.max_p50_ms),
            ("p90", latency.p90_ms, latency.p90_interval_ms, gates.max_p90_ms),
            ("p99", latency.p99_ms, latency.p99_interval_ms, gates.max_p99_ms),
        )
        if most is not None and value is not None and value > most
        if label != "p99" or _knows_p99(latency)
    ]
    if gates.max_p99_ms is not None and not _knows_p99(latency):
        broken.append(
            f"{board}: max_p99_ms cannot be judged on {latency.n} samples, it takes "
            f"{MIN_SAMPLES_FOR_P99_GATE}: raise run.iterations or run.min_duration"
        )
    return broken


def _knows_p99(latency: Latency) -> bool:
    return latency.n >= MIN_SAMPLES_FOR_P99_GATE


def _over(
    board: str, label: str, value: float, held: tuple[float, float] | None, most: float
) -> str:
    between = "" if held is None else f" (95 %: {held[0]:.3f} to {held[1]:.3f})"
    return f"{board}: {label} {value:.3f} ms{between} is over {most} ms"
