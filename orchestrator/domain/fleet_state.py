"""What is remembered of boards between runs: how far they came, their health, what they loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What a board made of a model that it was to load.
LoadOutcome = Literal["LOADED", "REJECTED"]


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a board may be worked on; times are ISO 8601, UTC.

    Attributes:
        failures: failed visits in a row; 0 once one was good.
        since: when the first of them was; None: there are none.
        code: error code of the last of them.
        error: what it said.
        quarantined_since: when the board left its fleet; None: it is in it.
        next_probe_at: before this it is not tried again; None: any time.
        checked_at: when this was found.
    """

    board: str
    failures: int = 0
    since: str | None = None
    code: str = ""
    error: str = ""
    quarantined_since: str | None = None
    next_probe_at: str | None = None
    checked_at: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a board said of itself when it last answered."""

    board: str
    uid: str | None
    current: str | None
    previous: str | None
    seen_at: str


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest run that has an outcome of a board; `error_code` is empty for a good one."""

    board: str
    run_id: str
    started_at: str
    error_code: str


@dataclass(frozen=True, slots=True)
class Pairing:
    """A model's compiler and the software of a board that is to load it; None: not known."""

    pulsar2_version: str
    sdk_version: str | None
    engine_version: str | None
    axengine_sha256: str | None
    simulated: bool


@dataclass(frozen=True, slots=True)
class CompatibilityFact:
    """That a board loaded a release, or rejected it; `count` times, the last one `at`."""

    pairing: Pairing
    release_id: str
    board: str
    outcome: LoadOutcome
    at: str
    count: int = 1
