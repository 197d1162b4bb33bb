"""What the sensors say against a measurement: a clock that fell, heat, other users of the NPU."""

from __future__ import annotations

from itertools import pairwise
from statistics import median

from orchestrator.blocks import blocks, warmup_medians
from orchestrator.domain import Evidence, Measurement
from orchestrator.sensors import MIB, Seen, holders, number, seen
from orchestrator.stats import rise

#: An NPU that is this busy before the measurement is somebody else's.
MAX_FOREIGN_NPU_LOAD_PERCENT = 5.0
#: How far the load may be above that of the block that had the least.
MAX_LOAD_RISE_PERCENT = 10.0
#: A clock this far below its highest has fallen; files round to whole MHz.
CLOCK_TOLERANCE = 0.01
#: A cooled board stays well below; an AX650N resets at a junction of about 120 °C.
MAX_TEMPERATURE_C = 85.0
#: A slope: blocks in order rise so surely (Kendall's tau), and by this share in all.
_SURE_RISE, MAX_RISE = 0.5, 0.03
#: A block that takes this much longer than the quickest is disturbed by whatever came with it.
_SLOW_BLOCK = 0.05
#: What memory may grow while a model runs steadily: drivers' own small blocks.
_CMM_SLACK_BYTES = MIB


def throttled(measurement: Measurement) -> list[Evidence]:
    """Say where the clock fell, and where heat made the model slower."""
    return _clock_fell(measurement) + _heat_slowed(measurement)


def _clock_fell(measurement: Measurement) -> list[Evidence]:
    """Compare every reading with the highest clock: that is what the NPU can do here."""
    key = "npu_clock_mhz"
    told = seen(measurement, key)
    before, after = number(measurement.before, key), number(measurement.after, key)
    if after is not None and not told:
        told = [Seen(None, after)]
    top = max([one.value for one in told] + ([] if before is None else [before]), default=0.0)
    low = [one for one in told if one.value < top * (1 - CLOCK_TOLERANCE)]
    if not low:
        return []
    first, lowest = low[0], min(one.value for one in low)
    where = first.where if measurement.readings else "after the measurement"
    text = f"the NPU clock fell from {top:.0f} to {lowest:.0f} MHz, seen {where}"
    if len(told) > 1:
        text += f" and in {len(low)} of {len(told)} readings"
    return [Evidence("THROTTLED", key, text, first.block, lowest, top)]


def _heat_slowed(measurement: Measurement) -> list[Evidence]:
    key = "temperature_c"
    told = [*seen(measurement, key)]
    if (after := number(measurement.after, key)) is not None:
        told.append(Seen(None, after))
    hottest = max(told, key=lambda one: one.value, default=None)
    slope = _slope(measurement)
    if hottest is None or hottest.value <= MAX_TEMPERATURE_C or slope is None:
        return []
    text = (
        f"{hottest.value:.0f} °C is above {MAX_TEMPERATURE_C:.0f} °C, and the model became "
        f"{slope:.1%} slower meanwhile"
    )
    return [Evidence("THROTTLED", key, text, hottest.block, hottest.value, MAX_TEMPERATURE_C)]


def _slope(measurement: Measurement) -> float | None:
    """Give by what share the model became slower; None where it did not.

    Heat may have done its work in the warm-up already: its quickest runs count as well.
    """
    medians = [one.p50_ns for one in blocks(measurement)]
    if not medians:
        return None
    sure, share = rise(medians)
    early = min(warmup_medians(measurement), default=medians[0])
    slower = median(medians) / early - 1
    found = max(share if sure >= _SURE_RISE else 0.0, slower)
    return found if found > MAX_RISE else None


def contended(measurement: Measurement) -> list[Evidence]:
    """Say who else used the NPU or its memory."""
    found = []
    load = number(measurement.before, "npu_load_percent")
    if load is not None and load > MAX_FOREIGN_NPU_LOAD_PERCENT:
        text = f"the NPU was {load:.0f} % busy before the measurement"
        bound = MAX_FOREIGN_NPU_LOAD_PERCENT
        found.append(Evidence("CONTENDED", "npu_load_percent", text, None, load, bound))
    found += _newcomers(measurement) or _memory_jumped(measurement)
    return found + _load_rose(measurement)


def _newcomers(measurement: Measurement) -> list[Evidence]:
    """Say who took NPU memory after the model had all of its own, or gave some back."""
    before, first = holders(measurement.before), holders(measurement.after_first)
    readings, found = measurement.readings, []
    known = {*before, *(first or (holders(readings[0]) if readings else {}))}
    held: dict[str, float] = {}
    for place, reading in enumerate(readings):
        now, block = holders(reading), place - 1 if place else None
        when = "in the warm-up" if block is None else f"in block {place}"
        for name in sorted(now.keys() - known):
            known.add(name)
            text = f"{name!r} took {now[name] / MIB:.1f} MiB of the NPU's memory {when}"
            found.append(Evidence("CONTENDED", "cmm_holders", text, block, now[name], 0.0))
        # A model keeps its memory until its process ends.
        for name in sorted(held.keys() - now.keys() - before.keys() if now else ()):
            text = f"{name!r} gave back {held[name] / MIB:.1f} MiB of the NPU's memory {when}"
            found.append(Evidence("CONTENDED", "cmm_holders", text, block, held[name], 0.0))
        held = now
    return found


def _memory_jumped(measurement: Measurement) -> list[Evidence]:
    """Say where memory grew at once, and what others took more of it.

    What grows in most blocks under the model's own name, or under no name, is its own leak.
    """
    found, grown = [], _growth(measurement)
    jumps = [(block, size) for block, size in grown if size > _CMM_SLACK_BYTES]
    if jumps and not _is_leak(grown):
        block, size = jumps[0]
        text = f"another took {size / MIB:.1f} MiB of the NPU's memory in block {block + 1}"
        found.append(Evidence("CONTENDED", "cmm_used_bytes", text, block, size, _CMM_SLACK_BYTES))
    foreign = [one for one in _growth(measurement, others=True) if one[1] > 0]
    size = sum(grew for _, grew in foreign)
    if size > _CMM_SLACK_BYTES:
        block = foreign[0][0]
        text = (
            f"others took {size / MIB:.1f} MiB more of the NPU's memory, from block {block + 1} on"
        )
        found.append(Evidence("CONTENDED", "cmm_holders", text, block, size, _CMM_SLACK_BYTES))
    return found


def _load_rose(measurement: Measurement) -> list[Evidence]:
    """Say in which slow block the NPU was busier than the model alone can have made it.

    The load is that of everybody. What is `calm` % busy with a model is busier with a slower one,
    for the host's part of each call stays what it is.
    """
    loads = {one.block: one.value for one in seen(measurement, "npu_load_percent")}
    parts = [one for one in blocks(measurement) if one.last in loads]
    if not parts:
        return []
    quick = min(one.p50_ns for one in parts)
    bound = quick * (1 + _SLOW_BLOCK)
    slow = [one for one in parts if one.p50_ns > bound or one.p90_ns > bound]
    calm = [loads[one.last] for one in parts if one not in slow]
    worst = max(slow, key=lambda one: loads[one.last], default=None)
    if worst is None or not calm:
        return []
    busy, slower = median(calm), worst.p50_ns / quick
    more = loads[worst.last] - 100 * busy * slower / (busy * slower + max(100 - busy, 0.0) or 1.0)
    if more <= MAX_LOAD_RISE_PERCENT:
        return []
    text = (
        f"the NPU was {loads[worst.last]:.0f} % busy in {worst.name}, {more:.0f} points more than "
        f"the model alone makes it, whose median was {slower - 1:.1%} above the quickest"
    )
    limit = MAX_LOAD_RISE_PERCENT
    return [Evidence("CONTENDED", "npu_load_percent", text, worst.first, more, limit)]


def leaked(measurement: Measurement) -> list[Evidence]:
    """Say what memory the model does not give back; its latency is not worse for it."""
    found = []
    grown = _growth(measurement)
    if _is_leak(grown):
        size = sum(size for _, size in grown)
        text = f"the NPU's memory in use grew in most blocks, by {size / MIB:.2f} MiB in all"
        found.append(Evidence("VALID", "cmm_used_bytes", text, None, size, 0.0))
    left = measurement.left_cmm_bytes
    if left is not None and left > _CMM_SLACK_BYTES:
        text = f"{left / MIB:.1f} MiB of the NPU's memory did not come back after the process"
        found.append(Evidence("VALID", "left_cmm_bytes", text, None, left, _CMM_SLACK_BYTES))
    return found


def _growth(measurement: Measurement, *, others: bool = False) -> list[tuple[int, float]]:
    """Give by how many bytes the model's memory grew in each block, or that of the others.

    The model's is what names hold that took more from the start to the end of its first run. Where
    no names are told all memory counts as its own.
    """
    before, first = holders(measurement.before), holders(measurement.after_first)
    ours = {name for name, size in first.items() if size > before.get(name, 0)}
    held = [holders(one) for one in measurement.readings]
    if not ours or not all(held):
        told = [] if others else seen(measurement, "cmm_used_bytes")
        return [(now.block or 0, now.value - was.value) for was, now in pairwise(told)]
    sizes = [sum(size for name, size in one.items() if (name in ours) != others) for one in held]
    return [(place, now - was) for place, (was, now) in enumerate(pairwise(sizes))]


def _is_leak(grown: list[tuple[int, float]]) -> bool:
    return sum(size > 0 for _, size in grown) > len(grown) / 2
