"""Several processes on one NPU: what a board answers → figures and what may be believed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.domain import Contender, Contention, Evidence, Instrument, Json, Judged
from orchestrator.sensors import number
from orchestrator.stats import percentile
from orchestrator.untrusted import an_object, integer, integers, malformed
from orchestrator.untrusted import number as a_number

#: Below it the processes missed each other: what was measured is mostly not contention.
MIN_OVERLAP = 0.5
#: Of the samples that were asked for, so many lie in the time that all shared.
MIN_SHARE = 0.5
#: An NPU that is this busy before it begins has a guest who is none of these processes.
MAX_FOREIGN_NPU_LOAD_PERCENT = 5.0


def contention_of(
    board: str, reply: Mapping[str, Json], releases: Sequence[str], iterations: int
) -> Contention:
    """Read the result of `contend`; `releases` names what each process ran."""
    value = reply.get("processes")
    if not isinstance(value, list) or len(value) != len(releases):
        raise malformed(board, "processes")
    shared_s = integer(board, reply, "shared_ns") / 1e9
    contenders, empty = [], []
    for place, (name, one) in enumerate(zip(releases, value, strict=True)):
        process = an_object(board, {"process": one}, "process")
        alone = integers(board, process, "alone_ns")
        together = integers(board, process, "together_ns")
        if not alone or min(alone) <= 0 or any(time <= 0 for time in together):
            raise malformed(board, "processes")
        if not together:
            empty.append(place)
            continue
        alone_ms, together_ms = (percentile(sorted(one), 50) / 1e6 for one in (alone, together))
        per_s = len(together) / shared_s if shared_s else 0.0
        contenders.append(
            Contender(name, None, "p50", alone_ms, together_ms, per_s, alone, together)
        )
    # Also for what is no number at all: that is below 1 and above 0 nowhere.
    overlap = min(1.0, max(0.0, a_number(board, reply, "overlap")))
    before, after = (an_object(board, reply, key) for key in ("before", "after"))
    verdict = judged("axengine", contenders, overlap, before, after, iterations, missed=empty)
    return Contention("axengine", tuple(contenders), overlap, before, after, verdict)


def parse_processes(board: str, processes: Sequence[Mapping[str, Json]]) -> list[tuple[int, int]]:
    """Read when each process of the tool was started and when it ended, in ns."""
    return [(integer(board, p, "started_ns"), integer(board, p, "ended_ns")) for p in processes]


def overlap_of(spans: Sequence[tuple[int, int]]) -> float:
    """Give the time in which all ran as a share of that in which any did, 0..1."""
    begins, ends = zip(*spans, strict=True)
    whole = max(ends) - min(begins)
    return max(0, min(ends) - max(begins)) / whole if whole > 0 else 0.0


def judged(
    instrument: Instrument,
    contenders: Sequence[Contender],
    overlap: float,
    before: Mapping[str, Json],
    after: Mapping[str, Json],
    iterations: int,
    missed: Sequence[int] = (),
) -> Judged:
    """Say what may be believed of a contention; the worst finding comes first.

    `missed` are processes, from 0 on, without a sample in the time that all shared.
    """
    found = [*_apart(contenders, overlap, iterations, missed)]
    load = number(before, "npu_load_percent")
    if load is not None and load > MAX_FOREIGN_NPU_LOAD_PERCENT:
        text = f"the NPU was {load:.0f} % busy before these processes began"
        bound = MAX_FOREIGN_NPU_LOAD_PERCENT
        found.append(Evidence("CONTENDED", "npu_load_percent", text, None, load, bound))
    clocks = number(before, "npu_clock_mhz"), number(after, "npu_clock_mhz")
    if clocks[0] is not None and clocks[1] is not None and clocks[1] < clocks[0]:
        text = f"the NPU clock fell from {clocks[0]:.0f} to {clocks[1]:.0f} MHz"
        found.append(Evidence("THROTTLED", "npu_clock_mhz", text, None, clocks[1], clocks[0]))
    verdict = found[0].verdict if found else "VALID"
    if instrument == "ax_run_model":
        text = "it gives no samples: which of them lie in the shared time is not known"
        found.append(Evidence("VALID", "samples", text))
    return Judged(verdict, tuple(found))


def _apart(
    contenders: Sequence[Contender], overlap: float, iterations: int, missed: Sequence[int]
) -> list[Evidence]:
    """Say where the processes did not run at once."""
    if overlap < MIN_OVERLAP or missed:
        text = f"all of them ran in {overlap:.0%} of the time, less than {MIN_OVERLAP:.0%}"
        if missed:
            names = ", ".join(str(place + 1) for place in missed)
            text = f"process {names} has no sample in the {overlap:.0%} of the time that all shared"
        return [Evidence("INVALID", "overlap", text, None, overlap, MIN_OVERLAP)]
    few = [
        (place, len(one.together_ns))
        for place, one in enumerate(contenders)
        if one.figure == "p50" and len(one.together_ns) < MIN_SHARE * iterations
    ]
    return [
        Evidence(
            "INVALID",
            "samples",
            f"process {place + 1} has {n} samples in the time that all shared, of {iterations}",
            None,
            float(n),
            MIN_SHARE * iterations,
        )
        for place, n in few[:1]
    ]
