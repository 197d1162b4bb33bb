"""When a board leaves its fleet for failing, is tried again, and comes back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.domain import Board, Health

#: What speaks of the board itself, not of the model or of who else is at work on it.
UNHEALTHY = frozenset(
    {
        "BOARD",
        "CMM_FULL",
        "DEADLINE",
        "DISK_FULL",
        "HASH_MISMATCH",
        "HOST_KEY",
        "INIT_FAILED",
        "LOGIN",
        "NO_RUNTIME",
        "NOT_WRITABLE",
        "OLD_PYTHON",
        "RUN_FAILED",
        "TIMEOUT",
        "TOO_HOT",
        "UNREACHABLE",
    }
)
#: Any answer of the agent shows that these are over.
_ABOUT_THE_WAY = frozenset({"HOST_KEY", "LOGIN", "UNREACHABLE"})
#: These come from the host; the board may never have been asked.
_OF_THE_HOST = frozenset({"FAILED", "INTERNAL"})
_MOST_DOUBLINGS = 16


@dataclass(frozen=True, slots=True)
class QuarantineRule:
    """After how many failures in a row a board leaves, and how long it is then left alone.

    The pause doubles with each probe that fails. The longest is less than a day, so that a run
    that starts at the same time each night tries every board.
    """

    after: int = 3
    first_pause: timedelta = timedelta(hours=1)
    longest_pause: timedelta = timedelta(hours=20)


DEFAULT_RULE = QuarantineRule()


@dataclass(frozen=True, slots=True)
class Visits:
    """Which boards are visited; `skipped` says of each other one why it is not."""

    visit: tuple[Board, ...]
    skipped: Mapping[str, str]


def after(
    health: Health | None,
    board: str,
    error_code: str,
    error: str,
    now: str,
    rule: QuarantineRule = DEFAULT_RULE,
) -> Health:
    """Give a board's health after a visit; an empty `error_code` is a good one.

    A failure that does not speak of the board leaves its health as it was.
    """
    before = health or Health(board)
    if not error_code:
        return Health(board, checked_at=now)
    if error_code not in UNHEALTHY:
        answers = before.code in _ABOUT_THE_WAY and error_code not in _OF_THE_HOST
        return Health(board, checked_at=now) if answers else before
    failures = before.failures + 1
    out = failures >= rule.after
    return Health(
        board=board,
        failures=failures,
        since=before.since or now,
        code=error_code,
        error=error,
        quarantined_since=(before.quarantined_since or now) if out else None,
        next_probe_at=_later(now, pause(failures, rule)) if out else None,
        checked_at=now,
    )


def pause(failures: int, rule: QuarantineRule = DEFAULT_RULE) -> timedelta:
    """Say how long a board is left alone after so many failures in a row."""
    doublings = min(max(failures - rule.after, 0), _MOST_DOUBLINGS)
    return min(rule.first_pause * (1 << doublings), rule.longest_pause)


def to_visit(healths: Mapping[str, Health], boards: Sequence[Board], now: str) -> Visits:
    """Leave out the boards in quarantine, but for those whose time to be tried has come."""
    skipped = {
        board.name: reason
        for board in boards
        if (reason := why_skipped(healths.get(board.name), now)) is not None
    }
    return Visits(tuple(one for one in boards if one.name not in skipped), skipped)


def why_skipped(health: Health | None, now: str) -> str | None:
    """Say why a board is not visited now; None: it is."""
    if health is None or health.quarantined_since is None or health.next_probe_at is None:
        return None
    if datetime.fromisoformat(health.next_probe_at) <= datetime.fromisoformat(now):
        return None
    return (
        f"in quarantine since {health.quarantined_since}: {health.failures} failures in a row, "
        f"the last {health.code}; it is tried again after {health.next_probe_at}, "
        f"or now with: orch fleet readmit {health.board}"
    )


def _later(moment: str, by: timedelta) -> str:
    return (datetime.fromisoformat(moment) + by).isoformat(timespec="seconds")
