"""How the tests here bring the packages to one board."""

from __future__ import annotations

from typing import Any

from orchestrator.backends.engines import ThreadEngine
from orchestrator.bootstrap.fleet import Bootstrapped, Supplies, bootstrap_fleet
from orchestrator.domain import Board, Caps
from orchestrator.fleet.errands import Courier

BOARD = Board("b1", "192.0.2.1", 22, "root")


class Quiet:
    """Progress that nobody looks at."""

    def event(self, subject: str, message: str) -> None:
        assert subject
        assert message

    def advance(self, subject: str, label: str, done: float, total: float) -> None: ...

    def table(self, title: str, header: Any, rows: Any) -> None: ...


def go(board: Any, supplies: Supplies) -> Bootstrapped:
    courier = Courier(board, ThreadEngine(), Quiet(), guest=supplies.dry_run)
    (found,) = bootstrap_fleet([BOARD], Caps(1), supplies, courier)
    return found
