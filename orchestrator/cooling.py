"""Let a board cool down before it is measured again, as its own sensor tells, for a while."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.agent import Agent
from orchestrator.domain import Again, Judged, Measurement
from orchestrator.replies import parse_probe
from orchestrator.sensors import number

#: Longer than this a board is not waited for: then it does not get colder where it is.
MOST_S = 600.0
#: Between two looks.
LOOK_S = 5.0
#: A board that did not get colder by a step of this in so long is as cold as it gets where it is.
STEP_C, STALL_S = 0.5, 60.0
#: How near to its temperature before the first measurement a board has to come again.
NEAR_C = 2.0
_TEMPERATURE = "temperature_c"


@dataclass(frozen=True, slots=True)
class Waiting:
    """How waiting is done; tests give another."""

    now_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def cool_down_to(again: Again, first: Measurement, last: Judged) -> float | None:
    """Say how cold a board must be before it is measured again, in °C; None: it need not wait."""
    if again.cool_to_c is not None:
        return again.cool_to_c
    was = number(first.before, _TEMPERATURE)
    return None if was is None or last.verdict != "THROTTLED" else was + NEAR_C


def cool_down(agent: Agent, to_c: float, most_s: float, waiting: Waiting) -> str:
    """Wait until the board is as cold, at most `most_s` and while it still gets colder.

    Returns what to say where it is not as cold, else nothing.

    Raises AgentError, DeadlineError, Unreachable.
    """
    name, begun = agent.board.name, waiting.now_s()
    coldest, colder_s = math.inf, begun
    while True:
        facts = parse_probe(name, agent.ask("probe", {"blobs": []})).facts
        found = number(facts, _TEMPERATURE)
        if found is None:
            return f"it has no thermometer: measured again without cooling down to {to_c:g} °C"
        if found <= to_c:
            return ""
        now_s = waiting.now_s()
        if found <= coldest - STEP_C:
            coldest, colder_s = found, now_s
        waited = now_s - begun
        if waited >= most_s or now_s - colder_s >= STALL_S:
            return (
                f"still {found:.1f} °C after {waited:.0f} s of cooling down to {to_c:g} °C: "
                f"measured again as it is"
            )
        waiting.sleep(min(LOOK_S, most_s - waited))
