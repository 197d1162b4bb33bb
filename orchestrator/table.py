"""Outcomes → the rows of the latency table. Pure; every report and the terminal share it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.conditions import scripted, told_of_simulated
from orchestrator.domain import BoardOutcome, Gates, Json, RunRecord
from orchestrator.gates import broken_gates
from orchestrator.instruments_table import power_cells, tool_cell
from orchestrator.latency import latency_of, parts_of, tool_figures

#: The part of p50 that the NPU takes, of runtimes that let one see it: the whole call has columns
#: of its own.
NPU_COLUMN = "NPU ms"
#: What the vendor's tool says, of boards without Python: never in one column with our own figures.
TOOL_COLUMN = "ax_run_model ms"
#: Of boards with a power hook: what they draw, and the energy of an inference.
POWER_COLUMNS = ("W", "mJ")
#: Left out for people where no board has anything in them.
_OPTIONAL = (NPU_COLUMN, TOOL_COLUMN, *POWER_COLUMNS)
#: How far the true median is from p50 at most, with 95 % confidence.
WITHIN = "± ms"
#: Header and whether the column holds numbers.
COLUMNS = (
    ("board", False),
    ("chip", False),
    ("SDK", False),
    ("Pulsar2", False),
    ("target", False),
    ("load ms", True),
    ("first ms", True),
    ("p50 ms", True),
    (WITHIN, True),
    (NPU_COLUMN, True),
    ("p90 ms", True),
    ("p99 ms", True),
    ("max ms", True),
    ("n", True),
    ("fps", True),
    (TOOL_COLUMN, True),
    *((name, True) for name in POWER_COLUMNS),
    ("agreement", True),
    ("mIoU", True),
    ("verdict", False),
)
#: Where a cell has nothing to say.
EMPTY = "-"


@dataclass(frozen=True, slots=True)
class Summary:
    """One sentence on a run, and what failed of it."""

    sentence: str
    failed_boards: tuple[str, ...]
    failed_gates: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """1 when a board failed, whatever the gates say; 3 when only a gate did; else 0."""
        return 1 if self.failed_boards else 3 if self.failed_gates else 0


def table_row(run: RunRecord, outcome: BoardOutcome) -> tuple[str, ...]:
    """Give the cells of one board, in the order of COLUMNS."""
    facts = outcome.facts
    known = (
        outcome.board,
        _text(facts, "chip_type").removesuffix("_CHIP"),
        _text(facts, "sdk_version").split("_")[0],
        _text(run.summary, "pulsar2"),
        _text(run.summary, "target"),
    )
    verdict, power = (verdict_text(outcome),), power_cells(outcome)
    measured, agreed = outcome.measurement, outcome.agreement
    accuracy = (
        EMPTY if agreed is None else f"{agreed.share:.2%}",
        EMPTY if agreed is None else _decimals(agreed.miou, 3),
    )
    figures = None if measured is None else tool_figures(measured)
    if figures is not None:
        what = f"{figures.mean_ms:.3f} mean" if figures.p50_ms is None else f"{figures.p50_ms:.3f}"
        return (*known, *[EMPTY] * 8, str(figures.n), EMPTY, what, *power, *accuracy, *verdict)
    latency, parts = None if _is_invalid(outcome) else latency_of(measured), parts_of(measured)
    if measured is None or latency is None:
        return (*known, *[EMPTY] * 11, *power, *accuracy, *verdict)
    return (
        *known,
        _ms(measured.load_ns, 1),
        _ms(measured.first_ns, 2),
        f"{latency.p50_ms:.3f}",
        EMPTY if latency.p50_within_ms is None else f"{latency.p50_within_ms:.3f}",
        _decimals(parts.npu if parts else None, 3),
        f"{latency.p90_ms:.3f}",
        EMPTY if latency.p99_ms is None else f"{latency.p99_ms:.3f}",
        f"{latency.max_ms:.3f}",
        str(latency.n),
        f"{latency.fps:.1f}",
        tool_cell(outcome),
        *power,
        *accuracy,
        *verdict,
    )


def shown(rows: Sequence[tuple[str, ...]]) -> tuple[list[tuple[str, bool]], list[tuple[str, ...]]]:
    """Give columns and rows for people: without what is there for some boards and no board has."""
    kept = [
        place
        for place, (name, _) in enumerate(COLUMNS)
        if name not in _OPTIONAL or any(row[place] != EMPTY for row in rows)
    ]
    return [COLUMNS[at] for at in kept], [tuple(row[at] for at in kept) for row in rows]


def _ms(value_ns: int | None, digits: int) -> str:
    return EMPTY if value_ns is None else f"{value_ns / 1e6:.{digits}f}"


def _decimals(value: Json, digits: int | None) -> str:
    """Format a figure with its number of decimals; None: as a share of one hundred."""
    if not isinstance(value, int | float):
        return EMPTY
    return f"{value:.2%}" if digits is None else f"{value:.{digits}f}"


def verdict_text(outcome: BoardOutcome) -> str:
    """Give the last cell: what failed, or that it is simulated, or what may be believed."""
    if outcome.error_code:
        return f"failed: {outcome.error_code}"
    undone = outcome.delivery is not None and outcome.delivery.undone
    return f"{_worth(outcome)}, rolled back" if undone else _worth(outcome)


def _worth(outcome: BoardOutcome) -> str:
    """Say what a visit that did not fail is worth."""
    if outcome.simulated and outcome.judged is not None and not _is_invalid(outcome):
        told = scripted(outcome.measurement) is not None
        return f"simulated, scripted: {outcome.judged.verdict}" if told else "simulated"
    if outcome.judged is None and outcome.delivery is not None:
        return "switched" if outcome.delivery.activated else "unchanged"
    return outcome.judged.verdict if outcome.judged else EMPTY


def _is_invalid(outcome: BoardOutcome) -> bool:
    """Say whether its measurement is none."""
    return outcome.judged is not None and outcome.judged.verdict == "INVALID"


def failed_boards(outcomes: Iterable[BoardOutcome], gates: Gates) -> tuple[str, ...]:
    """Name the boards that a rollout counts as failed: at work, at a gate, or gone back."""
    return tuple(
        one.board
        for one in outcomes
        if one.error_code or _is_invalid(one) or broken_gates(one, gates)
    )


def outcome_in_one_line(outcome: BoardOutcome) -> str:
    """Say of one board how it went."""
    if outcome.error:
        return f"failed: {outcome.error}" + (f" ({outcome.hint})" if outcome.hint else "")
    delivery, agreed = outcome.delivery, outcome.agreement
    parts = []
    if delivery is not None:
        parts.append(f"{delivery.uploaded_bytes:,} bytes uploaded")
        if delivery.site_bytes:
            parts.append(f"{delivery.site_bytes:,} bytes from its site")
        elif not delivery.uploaded_bytes:
            new = f"switched to {delivery.release_id}" if delivery.activated else "nothing is new"
            parts.append(new)
        if delivery.undone:
            parts.append(f"back to {delivery.before}: {'; '.join(delivery.undone)}")
    if agreed is not None:
        parts.append(f"agreement {agreed.share:.2%} on {agreed.images} images")
    return ", ".join(parts) or "looked at"


def summarise_run(outcomes: Sequence[BoardOutcome], gates: Gates) -> Summary:
    """Say in one sentence how it went, and name the boards and gates that failed."""
    failed = tuple(one.board for one in outcomes if one.error_code or _is_invalid(one))
    measured = [one for one in outcomes if one.measurement is not None]
    sound = (latency_of(one.measurement) for one in measured if not _is_invalid(one))
    medians = [one.p50_ms for one in sound if one is not None]
    delivered = sum(1 for outcome in outcomes if outcome.delivery and not outcome.error_code)
    sentence = f"{len(measured)} of {len(outcomes)} boards measured"
    if delivered and not measured:
        sentence = f"{delivered} of {len(outcomes)} boards have the release"
    if medians:
        sentence += f", p50 {min(medians):.2f} to {max(medians):.2f} ms"
    sent = sum(outcome.delivery.uploaded_bytes for outcome in outcomes if outcome.delivery)
    if any(outcome.delivery for outcome in outcomes):
        sentence += f", {sent:,} bytes uploaded"
    if told := told_of_simulated(outcomes):
        sentence += f"; simulated boards: {told}"
    broken = tuple(text for outcome in outcomes for text in broken_gates(outcome, gates))
    return Summary(sentence, failed, broken)


def _text(values: Mapping[str, Json], key: str) -> str:
    value = values.get(key)
    return EMPTY if value is None else str(value)
