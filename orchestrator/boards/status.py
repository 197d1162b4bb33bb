"""The state of a fleet's boards as the ledger knows it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.boards.identity import duplicates
from orchestrator.domain import Board, Health, LastRun, Sighting

#: `new`: no run and no look has met it yet.
State = Literal["ok", "failing", "quarantined", "new"]


@dataclass(frozen=True, slots=True)
class BoardStatus:
    """What is known of one board; times are ISO 8601, UTC.

    Attributes:
        since: when it began to fail, or left its fleet.
        failures: in a row.
        why: code and message of the last failure, or who has the same uid.
        next_probe_at: before this it is not visited.
        seen_at: when it last answered; `current`, `previous` and `uid` are of then.
    """

    board: str
    state: State
    since: str | None
    failures: int
    why: str
    next_probe_at: str | None
    uid: str | None
    current: str | None
    previous: str | None
    seen_at: str | None
    last_run: LastRun | None


def statuses(
    boards: Sequence[Board],
    healths: Mapping[str, Health],
    sightings: Mapping[str, Sighting],
    last_runs: Mapping[str, LastRun],
) -> list[BoardStatus]:
    """Put together what is known of each board, in the order of their names."""
    twins = duplicates(boards, {name: seen.uid for name, seen in sightings.items()})
    found = []
    for name in sorted(board.name for board in boards):
        health, seen = healths.get(name, Health(name)), sightings.get(name)
        failure = f"{health.code}: {health.error}" if health.failures else ""
        twin = twins[name].message if name in twins else ""
        found.append(
            BoardStatus(
                board=name,
                state=_state(health, seen),
                since=health.quarantined_since or health.since,
                failures=health.failures,
                why="; ".join(part for part in (failure, twin) if part),
                next_probe_at=health.next_probe_at,
                uid=seen.uid if seen else None,
                current=seen.current if seen else None,
                previous=seen.previous if seen else None,
                seen_at=seen.seen_at if seen else None,
                last_run=last_runs.get(name),
            )
        )
    return found


def _state(health: Health, seen: Sighting | None) -> State:
    if health.quarantined_since is not None:
        return "quarantined"
    if health.failures:
        return "failing"
    return "ok" if seen or health.checked_at else "new"
