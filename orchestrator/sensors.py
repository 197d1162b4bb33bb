"""What a measurement's sensors said, in the order of time. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.domain import Json, Measurement

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Seen:
    """One reading of one sensor; `block` is the one it ended, None before the first."""

    block: int | None
    value: float

    @property
    def where(self) -> str:
        """When it was read, in words; blocks are counted from 1 on for people."""
        return "before the first block" if self.block is None else f"after block {self.block + 1}"


def number(facts: Mapping[str, Json], key: str) -> float | None:
    """Give a sensor's value; None where it is no finite number."""
    value = facts.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def seen(measurement: Measurement, key: str) -> list[Seen]:
    """Give the readings of the steady state: before its first block and after each."""
    found = []
    for place, reading in enumerate(measurement.readings):
        value = number(reading, key)
        if value is not None:
            found.append(Seen(place - 1 if place else None, value))
    return found


def holders(reading: Mapping[str, Json]) -> dict[str, float]:
    """Give who holds how many bytes of the NPU's memory, by name; empty: not told."""
    kept = reading.get("cmm_holders")
    if not isinstance(kept, dict):
        return {}
    sizes = {name: number(kept, name) for name in kept}
    return {name: size for name, size in sizes.items() if size}
