"""Three boards in containers with OpenSSH, as a lab would list them in its inventory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest

from orchestrator.domain import Board


@pytest.fixture(scope="module")
def container_boards(
    board_container: Callable[[], AbstractContextManager[Board]],
) -> Iterator[tuple[Board, ...]]:
    """The boards in the order of their names; each is a container of that name."""
    with ExitStack() as stack:
        boards = [stack.enter_context(board_container()) for _ in range(3)]
        yield tuple(sorted(boards, key=lambda board: board.name))
