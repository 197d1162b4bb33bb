"""The wrong clock of a simulated board, for its Python: `site` imports this at each start.

The file says how many seconds are to be added to the time of day, and may change while programs
run. Timers and the times of files stay true: libfaketime shifts more, and breaks `time.sleep`.
"""

from __future__ import annotations

import time
from pathlib import Path

CLOCK = Path("/sim/clock")
_true_ns = time.time_ns


def _wrong_ns() -> int:
    try:
        return _true_ns() + int(CLOCK.read_text(encoding="ascii")) * 10**9
    except (OSError, ValueError):
        return _true_ns()


def _wrong_s() -> float:
    return _wrong_ns() / 1e9


if CLOCK.exists():
    time.time_ns, time.time = _wrong_ns, _wrong_s
