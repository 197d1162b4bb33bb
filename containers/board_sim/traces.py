"""Scripted boards: what each goes through while a model runs, from a kind and a seed. Pure.

A trace has the truth that a judge of the measurement must find. Time is simulated: it passes only
by what is spent on it.

    replay = Replay(draw("thermal", seed=7, base_ns=20_000_000))  # containers.board_sim.replay
    parts = replay.call()            # ns of copy_in, npu and copy_out; the clock has gone on
    replay.sensors()                 # temperature, clock, load, memory of this moment
    replay.sleep(60)                 # the board rests and cools down
    TRUTH[replay.trace.kind]         # "THROTTLED"

`TRUTH` holds for a measurement that covers the trace's `span_ns` from its start, warm-up included;
a shorter one may end before anything happens. Of `drift` it holds when the warm-up ends steady.
The NPU's load is that of everybody, the measured model's own included, and is told once a period,
as on a board: it is nobody else's only before the model runs. The model's own memory is named
`PyEngine`.

On a board `etc/orch-simulated-trace` selects the trace (`containers.board_sim.replaying`), in one
process `containers.board_sim.scripted.ScriptedAxengine` replays it with no model at all.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, get_args

Kind = Literal[
    "clean",  # what a good board does: little noise, a few late calls
    "slow-first",  # the first calls take up to seconds
    "drift",  # a slow warm-up
    "transient-init",  # the engine starts at the second try
    "cmm-leak",  # every call takes memory that does not come back
    "noisy",  # levels that no sensor explains
    "thermal",  # it heats up until the clock falls
    "dvfs",  # the clock is turned down, and sometimes up again
    "tenant",  # another program comes, with its load and its memory
    "nan",  # outputs that are no numbers
    "hang",  # a call that does not return
    "kill",  # the process dies in a call
    "truncated",  # the model does not load
    "wrong-vnpu",  # the NPU is split: models for more than one core are refused
]
Truth = Literal["VALID", "NOISY", "THROTTLED", "CONTENDED", "INVALID"]

KINDS: tuple[Kind, ...] = get_args(Kind)

#: What must be found of a measurement under each kind.
TRUTH: Mapping[Kind, Truth] = {
    "clean": "VALID",
    "slow-first": "VALID",
    "drift": "VALID",
    "transient-init": "VALID",
    "cmm-leak": "VALID",  # the latency is; the memory that does not come back is told apart
    "noisy": "NOISY",
    "thermal": "THROTTLED",
    "dvfs": "THROTTLED",
    "tenant": "CONTENDED",
    "nan": "INVALID",
    "hang": "INVALID",
    "kill": "INVALID",
    "truncated": "INVALID",
    "wrong-vnpu": "INVALID",
}
#: The agent's error where there is no measurement at all.
ERROR: Mapping[Kind, str] = {
    "hang": "TIMEOUT",
    "kill": "RUN_FAILED",
    "truncated": "MODEL_REJECTED",
    "wrong-vnpu": "VNPU_CONFLICT",
}

FULL_CLOCK_MHZ = 800
#: What a trace covers where it is not said: a warm-up, which takes its time with the fastest
#: models too, and a hundred iterations.
SPAN_CALLS, SPAN_WARMUP_NS = 120, 200_000_000
_TENANTS = ("ax-samples-cmm", "yolo_srv", "isp", "llm-vision")


class Trace(NamedTuple):
    """A kind with everything that its seed decides. Times are simulated, from the start on.

    Attributes:
        base_ns: a call on a good board.
        span_ns: how long the story takes.
        jitter: relative standard deviation of a call.
        late: share of calls that the system holds up.
        steps: from when on which NPU clock, MHz.
        levels: from when on which factor, of causes that no sensor shows.
        throttle_c: above it the clock falls, a step for every three degrees.
        clock_told: the board's clock file follows; some SDKs' does not.
        tenant: its name in the memory list; it is there from `arrives_ns` to `leaves_ns`.
        bad_call: the call that hangs, dies or gives the first NaN, from 0 on.
    """

    kind: Kind
    seed: int
    base_ns: int
    span_ns: int
    jitter: float
    late: float
    idle_c: float
    busy_c: float
    heating_ns: int
    throttle_c: float
    clock_told: bool
    steps: tuple[tuple[int, int], ...]
    levels: tuple[tuple[int, float], ...]
    slow_calls: tuple[float, ...]
    drift: float
    drift_ns: int
    tenant: str
    arrives_ns: int
    leaves_ns: int
    tenant_load: float
    tenant_kb: int
    governor: str
    leak_kb: int
    bad_call: int


def usual_span_ns(base_ns: int) -> int:
    """What a trace covers where it is not said."""
    return SPAN_CALLS * base_ns + SPAN_WARMUP_NS


def draw(kind: Kind, seed: int, base_ns: int = 20_000_000, span_ns: int | None = None) -> Trace:
    """Give the trace of a kind and a seed; the same for the same, on every machine."""
    dice = random.Random(f"{kind} {seed}")  # noqa: S311 - a story, not a secret
    span = span_ns or usual_span_ns(base_ns)
    idle_c = dice.uniform(42, 56)
    trace = Trace(
        kind=kind,
        seed=seed,
        base_ns=base_ns,
        span_ns=span,
        jitter=dice.uniform(0.001, 0.008),
        late=dice.uniform(0, 0.01),
        idle_c=idle_c,
        busy_c=idle_c + dice.uniform(4, 12),
        heating_ns=round(span * dice.uniform(0.3, 0.6)),
        throttle_c=105.0,
        clock_told=True,
        steps=((0, FULL_CLOCK_MHZ),),
        levels=((0, 1.0),),
        slow_calls=(),
        drift=0.0,
        drift_ns=1,
        tenant=dice.choice(_TENANTS),
        arrives_ns=0,
        leaves_ns=0,
        tenant_load=dice.uniform(0.4, 0.95),
        tenant_kb=dice.randrange(8, 512) * 1024,
        governor="performance",
        leak_kb=0,
        bad_call=dice.randrange(8, 40),
    )
    told = _STORIES.get(kind)
    return told(trace, dice) if told else trace


def _slow_first(trace: Trace, dice: random.Random) -> Trace:
    slow = [dice.uniform(0.5, 3) for _ in range(dice.randrange(1, 5))]
    return trace._replace(slow_calls=(dice.uniform(5, 60), *slow))


def _drift(trace: Trace, dice: random.Random) -> Trace:
    tau_ns = round(trace.span_ns * dice.uniform(0.02, 0.08))
    return trace._replace(drift=dice.uniform(0.1, 0.4), drift_ns=tau_ns)


def _leak(trace: Trace, dice: random.Random) -> Trace:
    return trace._replace(leak_kb=dice.choice((4, 16, 64, 256)))


def _noisy(trace: Trace, dice: random.Random) -> Trace:
    """Two levels in turn for sixty spans, each for a tenth to a quarter of one."""
    high, at_ns = 1 + dice.uniform(0.2, 0.5), 0
    levels = [(0, 1.0)]
    while at_ns < 60 * trace.span_ns:
        at_ns += round(trace.span_ns * dice.uniform(0.1, 0.25))
        levels.append((at_ns, 1.0 if levels[-1][1] > 1 else high))
    governor = dice.choice(("performance", "ondemand"))
    return trace._replace(levels=tuple(levels), governor=governor)


def _thermal(trace: Trace, dice: random.Random) -> Trace:
    """A board in a warm cabinet; throttling begins in the second quarter of the span."""
    idle_c, busy_c = dice.uniform(75, 85), dice.uniform(114, 119)
    heating_ns = round(trace.span_ns * dice.uniform(0.6, 1.2))
    share = 1 - math.exp(-trace.span_ns * dice.uniform(0.25, 0.5) / heating_ns)
    return trace._replace(
        idle_c=idle_c,
        busy_c=busy_c,
        heating_ns=heating_ns,
        throttle_c=idle_c + (busy_c - idle_c) * share,
        clock_told=dice.random() < 0.8,  # noqa: PLR2004 - most SDKs' clock file follows
    )


def _dvfs(trace: Trace, dice: random.Random) -> Trace:
    falls_ns = round(trace.span_ns * dice.uniform(0.3, 0.6))
    steps = [(0, FULL_CLOCK_MHZ), (falls_ns, dice.choice((400, 500, 600, 700)))]
    if dice.random() < 0.4:  # noqa: PLR2004 - it comes back in some
        low_ns = round(trace.span_ns * dice.uniform(0.5, 0.9))
        steps.append((falls_ns + low_ns, FULL_CLOCK_MHZ))
    return trace._replace(steps=tuple(steps))


def _tenant(trace: Trace, dice: random.Random) -> Trace:
    early = dice.random() < 0.2  # noqa: PLR2004 - some are there before the model
    arrives_ns = -1 if early else round(trace.span_ns * dice.uniform(0.3, 0.6))
    leaves_ns = round(trace.span_ns * dice.uniform(2, 5))
    return trace._replace(arrives_ns=arrives_ns, leaves_ns=leaves_ns)


_STORIES: Mapping[Kind, Callable[[Trace, random.Random], Trace]] = {
    "slow-first": _slow_first,
    "drift": _drift,
    "cmm-leak": _leak,
    "noisy": _noisy,
    "thermal": _thermal,
    "dvfs": _dvfs,
    "tenant": _tenant,
}
