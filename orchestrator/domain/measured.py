"""What was measured on a board, and what may be believed of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.domain.basic import Json

#: What may be believed of a measurement.
Verdict = Literal["VALID", "NOISY", "THROTTLED", "CONTENDED", "INVALID"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """The timed inferences of one model on one board; raw, in ns, warm-up and first run apart.

    An instrument that gives no samples names itself in `runtime`, with a `summary` of its own, and
    tells no `load_ns` and `first_ns`. Sensors are read outside the timed calls; each reading has
    the keys of docs/reference/agent-protocol.md, as far as the board has the sensor.

    Attributes:
        before: the sensors before the model was loaded.
        after: the sensors at the end, the session still open.
        block_sizes: samples of each consecutive block of the steady state; empty: one block.
        readings: the sensors before the first block and after every block; empty: not read.
        parts_ns: `copy_in`, `npu` and `copy_out` of every sample, where the runtime lets one see.
        overhead_ns: what the agent's own clock reading adds to a sample, the median.
        warmup_ended: `steady` when the drift was inside its bound, `cap` when it never was, `fixed`
            when the recipe says how many; empty: not told.
        left_cmm_bytes: NPU memory that did not come back after the process had ended; None: the
            board does not tell.
        after_first: the sensors after the first run: all that the model holds is there; empty: not
            read.
        round_sizes: samples of each consecutive round, where it was measured in several with other
            work between; empty: one round. Blocks and readings are those of all rounds, in order.
    """

    board: str
    load_ns: int | None
    first_ns: int | None
    warmup_ns: tuple[int, ...]
    samples_ns: tuple[int, ...]
    runtime: Mapping[str, Json]
    before: Mapping[str, Json]
    after: Mapping[str, Json]
    block_sizes: tuple[int, ...] = ()
    readings: tuple[Mapping[str, Json], ...] = ()
    parts_ns: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    overhead_ns: int | None = None
    warmup_ended: str = ""
    left_cmm_bytes: int | None = None
    after_first: Mapping[str, Json] = field(default_factory=dict)
    round_sizes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One finding behind a verdict.

    Attributes:
        verdict: what it speaks for.
        sensor: what showed it: `npu_clock_mhz`, `temperature_c`, `samples`, …
        text: the finding in words, with its numbers.
        block: where, from 0 on; None: not in one block.
        value: what was found, in the sensor's unit.
        bound: what it may be at most or least.
    """

    verdict: Verdict
    sensor: str
    text: str
    block: int | None = None
    value: float | None = None
    bound: float | None = None

    def __str__(self) -> str:
        """The finding in words."""
        return self.text


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict with the reasons for it, the worst first."""

    verdict: Verdict
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A measurement that was made again because of its verdict."""

    measurement: Measurement
    judged: Judged
