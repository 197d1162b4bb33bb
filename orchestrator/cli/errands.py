"""One errand on every board that is chosen: what many commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.options import couriers, select_boards

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeVar

    from orchestrator.agent import Agent
    from orchestrator.domain import Fleet
    from orchestrator.fleet.errands import Answer
    from orchestrator.replies import Probe
    from orchestrator.wiring import Workplace

    T = TypeVar("T")


def choose(
    fleet: str, limit: str | None, exclude: str | None, inventory: Path | None
) -> tuple[Workplace, Fleet]:
    """Open the workplace, and give the fleet with the boards that are meant. Raises ConfigError."""
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    return place, select_boards(place, fleet, limit, exclude)


def run_on(
    place: Workplace,
    fleet: Fleet,
    errand: Callable[[Agent], T],
    in_words: Callable[[T], str],
    *,
    guest: bool = False,
) -> list[Answer[T]]:
    """Run an errand on every board of a fleet; `in_words` says on stderr how one went."""
    from orchestrator.cli.console import progress
    from orchestrator.fleet.errands import run_errands

    with progress() as shown, couriers(place, fleet, shown, guest=guest) as (courier, boards):
        return run_errands(boards, fleet.caps, courier, errand, in_words)


def look_at(place: Workplace, fleet: Fleet) -> list[Answer[Probe]]:
    """Ask every board what it is and has; nothing is changed or left on it."""
    from orchestrator.leases import look

    return run_on(place, fleet, lambda agent: look(agent, ()), lambda _: "answers", guest=True)
