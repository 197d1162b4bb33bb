"""A night: a fleet measured with its recipes, compared with the nights before, and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.domain.basic import Json
from orchestrator.domain.judged import Outcome


@dataclass(frozen=True, slots=True)
class VerifySpec:
    """How a fleet is measured and judged at night.

    Attributes:
        recipes: what is measured, besides the fleet's own recipe.
        rounds: how often each recipe is measured on each board, taking turns with the others.
        more_rounds: at most so many more where the first ones do not tell.
        margin: share by which a board or the fleet may be slower than its baseline, 0.02 for 2 %.
        margin_ms: a change that is smaller than this fails nothing, whatever its share.
        max_agreement_loss: how far the agreement may be below its baseline, 0..1.
        max_miou_loss: as that, of mIoU.
        baseline_nights: with so many nights before a night is compared, where none is pinned.
        budget_s: how long a night may take; None: as long as it takes.
    """

    recipes: tuple[str, ...] = ()
    rounds: int = 5
    more_rounds: int = 5
    margin: float = 0.02
    margin_ms: float = 0.05
    max_agreement_loss: float = 0.005
    max_miou_loss: float = 0.01
    baseline_nights: int = 14
    budget_s: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """One board in one run, in short: what history is made of, a row of the ledger each.

    Attributes:
        at: when the run started, ISO 8601, UTC.
        night: the night that the run is a part of; empty: none.
        verdict: what may be believed of the measurement; empty: there is none.
        n: samples that were used.
        low_ms: with `high_ms` the 95 % interval of p50.
        rounds_ms: p50 of each round that was used, in their order.
        rounds_unused: rounds that were measured and are not among them.
        temperature_c: the highest that was read meanwhile.
        npu_clock_mhz: the lowest.
        agreement_low: with `agreement_high` the 95 % interval of `agreement`; so for mIoU.
        mask_miou: mIoU against the masks.
        max_cycle: what the compiler predicts for an inference, in NPU cycles.
    """

    run_id: str
    board: str
    recipe: str
    fleet: str
    at: str
    night: str = ""
    site: str = ""
    simulated: bool = False
    verdict: str = ""
    error_code: str = ""
    n: int = 0
    p50_ms: float | None = None
    low_ms: float | None = None
    high_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    npu_ms: float | None = None
    rounds_ms: tuple[float, ...] = ()
    rounds_unused: int = 0
    temperature_c: float | None = None
    npu_clock_mhz: float | None = None
    agreement: float | None = None
    agreement_low: float | None = None
    agreement_high: float | None = None
    miou: float | None = None
    miou_low: float | None = None
    miou_high: float | None = None
    mask_miou: float | None = None
    output_sha256: str = ""
    release_id: str = ""
    pulsar2: str = ""
    toolchain_digest: str = ""
    sdk: str = ""
    kernel: str = ""
    chip: str = ""
    max_cycle: int | None = None

    @property
    def usable(self) -> bool:
        """Whether its latency may be compared: measured, and not doubted."""
        return self.p50_ms is not None and self.verdict in {"VALID", "NOISY"}


@dataclass(frozen=True, slots=True)
class Night:
    """One verification of a fleet, as the ledger keeps it.

    Attributes:
        runs: the run of each recipe, by the recipe's name, in order.
        asked: what was asked for, so that it can go on.
        verdict: empty while it is not finished.
        sentence: how it went.
        simulated: at least one of its boards is a simulation.
        failed_boards: by board, what could not be done.
    """

    night_id: str
    fleet: str
    started_at: str
    finished_at: str | None = None
    exit_code: int | None = None
    verdict: Outcome | Literal[""] = ""
    runs: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, Json] = field(default_factory=dict)
    sentence: str = ""
    simulated: bool = False
    failed_boards: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a recipe on a fleet is compared with until something else is said: a pinned run."""

    fleet: str
    recipe: str
    run_id: str
    set_at: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the ledger's hash chain.

    Attributes:
        kind: `outcome`, `run`, `night`, `report`, `pruned`, …
        subject: which row: `RUN/BOARD`, `RUN`, a report's name.
        content: sha256 of what the row says.
        before: sha256 of the link before; empty: it is the first.
        sha256: of this link.
    """

    number: int
    kind: str
    subject: str
    content: str
    before: str
    sha256: str
    at: str
