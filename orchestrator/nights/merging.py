"""The rounds of a night on one board, put together to one measurement. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

from orchestrator.domain import Attempt, Evidence, Judged, Measurement, Verdict

#: What may be compared with other nights.
USABLE: tuple[Verdict, ...] = ("VALID", "NOISY")
#: More findings than these do not make a verdict clearer.
_MOST_EVIDENCE = 20


@dataclass(frozen=True, slots=True)
class Merged:
    """What a night's rounds come to.

    Attributes:
        last: the rounds that count, as one measurement with its verdict; the last one where none
            counts.
        unused: those that do not, in order.
    """

    last: Attempt
    unused: tuple[Attempt, ...]


def merge(rounds: Sequence[Attempt]) -> Merged:
    """Put rounds together, at least one; one that has been put together before may come first."""
    used = [one for one in rounds if one.judged.verdict in USABLE and one.measurement.samples_ns]
    if not used:
        return Merged(rounds[-1], tuple(rounds[:-1]))
    unused = tuple(one for one in rounds if one not in used)
    measurement = reduce(_joined, (_as_rounds(one.measurement) for one in used))
    verdict: Verdict = "NOISY" if any(one.judged.verdict == "NOISY" for one in used) else "VALID"
    evidence: list[Evidence] = []
    for one in used:
        evidence += [found for found in one.judged.evidence if found not in evidence]
    judged = Judged(verdict, tuple(evidence[:_MOST_EVIDENCE]))
    return Merged(Attempt(measurement, judged), unused)


def _as_rounds(measurement: Measurement) -> Measurement:
    sizes = measurement.round_sizes or (len(measurement.samples_ns),)
    blocks = measurement.block_sizes or (len(measurement.samples_ns),)
    return replace(measurement, round_sizes=sizes, block_sizes=blocks)


def _joined(first: Measurement, then: Measurement) -> Measurement:
    """Put one behind the other; between them the sensors are those at the end of the first."""
    readings = (*first.readings, *then.readings[1:]) if first.readings and then.readings else ()
    parts = {
        name: (*times, *then.parts_ns[name])
        for name, times in first.parts_ns.items()
        if name in then.parts_ns
    }
    return replace(
        first,
        warmup_ns=(*first.warmup_ns, *then.warmup_ns),
        samples_ns=(*first.samples_ns, *then.samples_ns),
        after=then.after,
        block_sizes=(*first.block_sizes, *then.block_sizes),
        readings=readings,
        parts_ns=parts,
        left_cmm_bytes=then.left_cmm_bytes,
        round_sizes=(*first.round_sizes, *then.round_sizes),
    )
