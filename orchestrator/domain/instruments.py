"""What is measured beside the plain latency: by another instrument, under contention, in watts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.domain.basic import Json
from orchestrator.domain.measured import Judged

#: What times a model: the runtime from Python end to end, or the vendor's tool on the NPU alone.
Instrument = Literal["axengine", "ax_run_model"]


@dataclass(frozen=True, slots=True)
class PowerHook:
    """A program on this host that prints the watts a board draws.

    Attributes:
        command: the program and its arguments; no shell sees them.
        interval_s: between the starts of two calls.
        environment: what it gets beside orch's own environment: a text, or `env:NAME`.
    """

    command: tuple[str, ...]
    interval_s: float
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contend:
    """Who is to share the NPU with the release that is measured.

    Attributes:
        processes: how many there are at once, the release's own with them.
        release_id: what the others run; None: the same release.
        affinities: one mask of NPU cores per process, for `ax_run_model`; empty: no affinity.
    """

    processes: int
    release_id: str | None = None
    affinities: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolMeasurement:
    """What the vendor's tool found: it sums its samples up itself and gives none of them.

    Attributes:
        iterations: how many runs the figures are of, where it says so.
        median_ms: None where the tool is too old to give one.
        percentiles_ms: by percent, as text; empty where it gives none.
        runtime: what it said of itself, the engine and the model.
        before: the sensors before it was started; `after` likewise at its end.
        text: all that it printed.
        remarks: what is odd about its figures.
        error_code: why there are no figures; empty: there are.
    """

    iterations: int | None = None
    min_ms: float | None = None
    max_ms: float | None = None
    mean_ms: float | None = None
    median_ms: float | None = None
    percentiles_ms: Mapping[str, float] = field(default_factory=dict)
    runtime: Mapping[str, Json] = field(default_factory=dict)
    before: Mapping[str, Json] = field(default_factory=dict)
    after: Mapping[str, Json] = field(default_factory=dict)
    text: str = ""
    remarks: tuple[str, ...] = ()
    error_code: str = ""
    error: str = ""

    @property
    def figure_ms(self) -> float | None:
        """The median where the tool gives one, else the mean."""
        return self.mean_ms if self.median_ms is None else self.median_ms


@dataclass(frozen=True, slots=True)
class Contender:
    """One process of several that shared an NPU.

    Attributes:
        release_id: of the model that it ran.
        affinity: the mask of NPU cores it was bound to; None: it was not.
        figure: what the two times are: `p50`, or the tool's `median` or `mean`.
        alone_ms: while the others stood still.
        together_ms: while all of them ran.
        per_s: its inferences a second while all of them ran.
        alone_ns: raw samples; empty where the instrument gives none, as is `together_ns`.
    """

    release_id: str
    affinity: int | None
    figure: Literal["p50", "median", "mean"]
    alone_ms: float
    together_ms: float
    per_s: float
    alone_ns: tuple[int, ...] = ()
    together_ns: tuple[int, ...] = ()

    @property
    def slowdown(self) -> float:
        """How many times as long an inference takes with the others there."""
        return self.together_ms / self.alone_ms


@dataclass(frozen=True, slots=True)
class Contention:
    """Several processes at once on one NPU; no figure of it belongs to the plain latency.

    Attributes:
        overlap: share of the time in which all of them ran, of that in which any did, 0..1.
        judged: what may be believed of it; None: there is nothing to judge.
        error_code: why there is no measurement; empty: there is one.
    """

    instrument: Instrument
    contenders: tuple[Contender, ...] = ()
    overlap: float = 0.0
    before: Mapping[str, Json] = field(default_factory=dict)
    after: Mapping[str, Json] = field(default_factory=dict)
    judged: Judged | None = None
    error_code: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Power:
    """What a board drew while it was measured, as its power hook on the host told.

    Attributes:
        mean_w: of the samples in the steady state; None: there is none.
        energy_mj: watts times the mean time of an inference; the board's idle draw is in it.
        watts: those samples, in order.
        calls: how often the hook was asked during the whole measurement.
        failures: of these calls, those that gave no number.
        simulated: the board or the hook is a simulation.
        remark: the first failure, in words; empty: there is none.
    """

    mean_w: float | None
    energy_mj: float | None
    watts: tuple[float, ...]
    calls: int
    failures: int
    simulated: bool
    remark: str = ""
