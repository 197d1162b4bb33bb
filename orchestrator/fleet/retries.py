"""Which failures are worth another try, when, and how many tries there are. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

#: The line broke or was silent: soon, under the same name, so that work that goes on is joined.
TRANSPORT = frozenset({"UNREACHABLE", "DEADLINE"})
#: The board may be free or sound in a while: after a pause, as new work.
STATE = frozenset({"BUSY", "LEASED", "INIT_FAILED", "CMM_FULL"})
#: Left to the orch that has the board now, until a user asks for it again.
TAKEN_OVER = frozenset({"STALE_TOKEN"})
#: Of the board, and not mended by waiting: worth another try when a user goes on with a run.
MENDED = frozenset(
    {
        "BOARD",
        "DISK_FULL",
        "HASH_MISMATCH",
        "HOST_KEY",
        "LOGIN",
        "NO_RUNTIME",
        "NOT_WRITABLE",
        "OLD_PYTHON",
        "TOO_HOT",
    }
)
# All else says something of the model, the recipe or the inventory, which waiting does not mend.

TRANSPORT_PAUSE_S = 1.0
STATE_PAUSE_S = 5.0
#: Between two looks at a board whose lease another has.
LEASE_PAUSE_S = 10.0
_OF_A_BOARD = 2
_FEWEST_IN_ALL = 4


@dataclass(slots=True)
class Retries:
    """What has been tried again of `boards` boards.

    There are half as many tries as boards: where many fail, trying on only costs time.
    """

    boards: int
    _tried: Counter[str] = field(default_factory=Counter)
    _lasts_s: dict[str, float] = field(default_factory=dict)

    def take(self, board: str, error_code: str, free_in_s: float | None = None) -> float | None:
        """Take a try for a failure, where it is worth one and one is left; give the pause in s.

        With `free_in_s`, when the lease of another ends, it is no try but a look if it has.
        """
        if free_in_s is not None:
            return self._await_lease(board, free_in_s)
        most = max(_FEWEST_IN_ALL, self.boards // 2)
        if self._tried[board] >= _OF_A_BOARD or self._tried.total() >= most:
            return None
        if error_code not in TRANSPORT | STATE:
            return None
        self._tried[board] += 1
        return STATE_PAUSE_S if error_code in STATE else TRANSPORT_PAUSE_S

    def _await_lease(self, board: str, free_in_s: float) -> float | None:
        """Wait for the end of the lease that was found first: who has it then is at work."""
        left_s = self._lasts_s.setdefault(board, free_in_s + LEASE_PAUSE_S)
        if left_s <= 0:
            return None
        self._lasts_s[board] = left_s - LEASE_PAUSE_S
        return LEASE_PAUSE_S

    def name(self, board: str, run_id: str, error_code: str) -> str:
        """Name the work of the next try: a failure that a board has stored stays under its name."""
        again = self._tried[board] and error_code in STATE
        return f"{run_id}-{self._tried[board] + 1}" if again else run_id
