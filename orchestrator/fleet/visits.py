"""What boards are visited for, with what, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.agents import Programs
from orchestrator.boards.identity import UidRegistry
from orchestrator.boards.need import Need
from orchestrator.domain import (
    Again,
    BoardOutcome,
    CompatibilityFact,
    Contend,
    Origin,
    Recipe,
    Release,
    Rollout,
)
from orchestrator.seams import Connect
from orchestrator.tasks import Answer
from orchestrator.transfer.encoding import Encoder
from orchestrator.transfer.relaying import Relays


@dataclass(frozen=True, slots=True)
class Visit:
    """What boards are visited for. With `only_measure`, nothing is copied or switched.

    Attributes:
        measure: run the release on the board as well; without, one that has it is left alone.
        reference: answers of the float model, one per evaluation image.
        golden: what a staged release must say of the first images; none: it need not.
        owner: who holds the boards meanwhile.
        need: what the release takes on a board, but for what has to be sent.
        uids: by board, what it was called by itself the last time.
        loaded: what boards made of models by the same Pulsar2.
        baselines: by board, its last good outcome with this recipe.
        dead: owners whose process was killed; their leases are taken over.
        after: the token under which a board was held before, where it is visited again.
        again: whether a measurement that is not VALID is repeated.
        contend: who is to share the NPU with the release in a measurement of its own; None: nobody.
        origin: what compiled the release; the site is each board's own.
    """

    recipe: Recipe
    release: Release
    reference: tuple[Answer, ...]
    golden: tuple[Answer, ...]
    agents: Programs
    run_id: str
    owner: str
    only_measure: bool
    deadline_s: float
    need: Need
    rollout: Rollout = field(default_factory=Rollout)
    uids: Mapping[str, str] = field(default_factory=dict)
    loaded: tuple[CompatibilityFact, ...] = ()
    ignore_learned: bool = False
    baselines: Mapping[str, BoardOutcome] = field(default_factory=dict)
    measure: bool = True
    after: int | None = None
    dead: frozenset[str] = frozenset()
    again: Again = field(default_factory=Again)
    contend: Contend | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Gear:
    """What visiting needs of the world.

    `uids` and `relays` are shared by the visits of one process; without them it goes on as well.
    """

    connect: Connect
    encoder: Encoder
    uids: UidRegistry | None = None
    relays: Relays | None = None


@dataclass(frozen=True, slots=True)
class Visited:
    """What came back from a board: the outcome, its answers for the pictures, and remarks.

    Attributes:
        token: under which the board was held; None: it was not.
        free_in_s: another has it, whose lease ends then unless more is heard of them.
    """

    outcome: BoardOutcome
    answers: tuple[Answer, ...] = ()
    remarks: tuple[str, ...] = ()
    token: int | None = None
    free_in_s: float | None = None
