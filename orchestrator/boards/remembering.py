"""What a visit or a look at a board leaves in the ledger: health, releases, what it loads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.boards.compatibility import load_outcome, pairing_of
from orchestrator.boards.quarantine import DEFAULT_RULE, QuarantineRule, after
from orchestrator.domain import (
    BoardOutcome,
    CompatibilityFact,
    Fleet,
    Health,
    Json,
    Release,
    Sighting,
)
from orchestrator.fleet_memory import FleetMemory
from orchestrator.replies import Probe


@dataclass(frozen=True, slots=True)
class FleetNotes:
    """The boards as they are remembered, kept up as they are visited; used by one thread."""

    memory: FleetMemory
    healths: dict[str, Health]
    sightings: dict[str, Sighting]
    rule: QuarantineRule = DEFAULT_RULE

    def of(self, fleet: Fleet) -> FleetNotes:
        """Give the same notes, kept by this fleet's rule."""
        return replace(self, rule=QuarantineRule(fleet.quarantine_after))

    def note_look(self, board: str, probe: Probe, now: str) -> None:
        """Keep that a board answered: it is well."""
        self._note_health(board, "", "", now)
        self._note_sighting(
            Sighting(board, _uid(probe.facts), probe.current, probe.previous, now),
        )

    def note_failure(self, board: str, error_code: str, error: str, now: str) -> None:
        """Keep that a board did not answer, and why."""
        self._note_health(board, error_code, error, now)

    def note_outcome(self, outcome: BoardOutcome, release: Release, now: str) -> None:
        """Keep what a run has found out about a board."""
        board = outcome.board
        self._note_health(board, outcome.error_code, outcome.error, now)
        if outcome.facts:
            current, previous = _releases(outcome, self.sightings.get(board))
            self._note_sighting(Sighting(board, _uid(outcome.facts), current, previous, now))
            fact = compatibility_fact(outcome, release, now)
            if fact is not None:
                self.memory.record_compatibility(fact)

    def readmit(self, board: str, now: str) -> None:
        """Forget a board's failures."""
        self._note_health(board, "", "", now)

    def _note_health(self, board: str, error_code: str, error: str, now: str) -> None:
        health = after(self.healths.get(board), board, error_code, error, now, self.rule)
        self.healths[board] = health
        self.memory.record_health(health)

    def _note_sighting(self, sighting: Sighting) -> None:
        self.sightings[sighting.board] = sighting
        self.memory.record_sighting(sighting)


def open_notes(memory: FleetMemory, rule: QuarantineRule = DEFAULT_RULE) -> FleetNotes:
    """Read what is remembered of all boards."""
    return FleetNotes(memory, memory.healths(), memory.sightings(), rule)


def compatibility_fact(
    outcome: BoardOutcome, release: Release, now: str
) -> CompatibilityFact | None:
    """Say what a visit shows about loading the release's model; None: nothing."""
    told = "" if outcome.measurement is not None else outcome.error_code or None
    loaded = None if told is None else load_outcome(told)
    if loaded is None:
        return None
    runtime = outcome.measurement.runtime if outcome.measurement else {}
    pairing = pairing_of(release.pulsar2_version, outcome.facts, runtime)
    return CompatibilityFact(pairing, release.release_id, outcome.board, loaded, now)


def _releases(outcome: BoardOutcome, seen: Sighting | None) -> tuple[str | None, str | None]:
    """Give the current and the previous release after a visit, as far as it went."""
    delivery = outcome.delivery
    old = (seen.current, seen.previous) if seen else (None, None)
    if delivery is None:
        return old
    if delivery.undone:
        return delivery.before, delivery.release_id
    if delivery.activated:
        return delivery.release_id, delivery.before
    return delivery.release_id, old[1] if old[0] == delivery.release_id else None


def _uid(facts: Mapping[str, Json]) -> str | None:
    value = facts.get("uid")
    return value if isinstance(value, str) else None
