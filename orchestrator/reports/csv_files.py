"""A night as CSV: a row for each board and recipe, and a row for each sample."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from io import StringIO
from itertools import accumulate

from orchestrator.domain import BoardEffect, Figures, Measurement, NightReport

#: What a spreadsheet would take for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_EFFECT = ("change", "change_low", "change_high", "baseline_ms", "baseline_nights", "judged")
SAMPLE_COLUMNS = ("night", "recipe", "board", "simulated", "round", "block", "sample", "ns")


def measurements_csv(report: NightReport) -> str:
    """Give all figures of a night, a row for each board and recipe."""
    names = [one.name for one in fields(Figures)]
    return _csv([*names, *_EFFECT], _measurements(report, names))


def _measurements(report: NightReport, names: Sequence[str]) -> Iterator[Sequence[object]]:
    for recipe in report.recipes:
        effects = {one.board: one for one in recipe.judged.boards}
        for one in recipe.figures:
            yield [*(_value(getattr(one, name)) for name in names), *_of(effects.get(one.board))]


def _of(effect: BoardEffect | None) -> Sequence[object]:
    if effect is None:
        return ("",) * len(_EFFECT)
    found = effect.effect
    changes = ("", "", "") if found is None else (found.change, found.low, found.high)
    baseline = "" if effect.baseline_ms is None else effect.baseline_ms
    return (*changes, baseline, effect.nights, effect.verdict)


def samples_csv(report: NightReport) -> str:
    """Give every timed inference of a night that was used, in ns; rounds and blocks from 1 on."""
    return _csv(SAMPLE_COLUMNS, _samples(report))


def _samples(report: NightReport) -> Iterator[Sequence[object]]:
    for recipe in report.recipes:
        for outcome in recipe.outcomes:
            known = (report.night.night_id, recipe.judged.recipe, outcome.board, outcome.simulated)
            if outcome.measurement is not None:
                for place in _places(outcome.measurement):
                    yield (*known, *place)


def _places(measurement: Measurement) -> Iterator[tuple[int, int, int, int]]:
    """Give round, block, number and ns of each sample."""
    count = len(measurement.samples_ns)
    round_ends = list(accumulate(measurement.round_sizes or (count,)))
    block_ends = list(accumulate(measurement.block_sizes or (count,)))
    of_round = of_block = 0
    for number, ns in enumerate(measurement.samples_ns):
        while of_round < len(round_ends) - 1 and number >= round_ends[of_round]:
            of_round += 1
        while of_block < len(block_ends) - 1 and number >= block_ends[of_block]:
            of_block += 1
        yield of_round + 1, of_block + 1, number + 1, ns


def _value(value: object) -> object:
    if value is None:
        return ""
    return " ".join(f"{one:.6f}" for one in value) if isinstance(value, tuple) else value


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_harmless(one) if isinstance(one, str) else one for one in row])
    return text.getvalue()


def _harmless(text: str) -> str:
    """Keep a text from being taken for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
