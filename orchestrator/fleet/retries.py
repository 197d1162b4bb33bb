"""Which failures are worth another try, when, and how many tries there are. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

#: The line broke or was silent: soon, under the same name, so that work that goes on is joined.
TRANSPORT = frozenset({"UNREACHABLE", "DEADLINE"})
#: The board may be free or sound in a while: after a pause, as new work.
STATE = frozenset({"BUSY", "LEASED", "STALE_TOKEN", "INIT_FAILED", "CMM_FULL"})
# All else says something of the model, the recipe or the inventory, which waiting does not mend.

TRANSPORT_PAUSE_S = 1.0
STATE_PAUSE_S = 5.0
_OF_A_BOARD = 2
_FEWEST_IN_ALL = 4


@dataclass(slots=True)
class Retries:
    """What has been tried again of `boards` boards.

    There are half as many tries as boards: where many fail, trying on only costs time.
    """

    boards: int
    _tried: Counter[str] = field(default_factory=Counter)

    def take(self, board: str, error_code: str) -> float | None:
        """Take a try for a failure, where it is worth one and one is left; give the pause in s."""
        most = max(_FEWEST_IN_ALL, self.boards // 2)
        if self._tried[board] >= _OF_A_BOARD or self._tried.total() >= most:
            return None
        if error_code not in TRANSPORT | STATE:
            return None
        self._tried[board] += 1
        return STATE_PAUSE_S if error_code in STATE else TRANSPORT_PAUSE_S

    def name(self, board: str, run_id: str, error_code: str) -> str:
        """Name the work of the next try: a failure that a board has stored stays under its name."""
        return f"{run_id}-{self._tried[board] + 1}" if error_code in STATE else run_id
