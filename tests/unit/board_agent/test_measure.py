from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from board_agent import measure
from board_agent.inner import CALLS, Inner
from board_agent.jobs import Plan
from board_agent.measure import Stopwatch, steady, warm_up
from board_agent.runtime import Clock, Session

MS = 1_000_000


class Scripted:
    """A runtime and a clock: each run takes what `latency_ns` says of its number."""

    def __init__(self, latency_ns: Callable[[int], int]) -> None:
        self.now_ns, self.runs, self.latency_ns = 0, 0, latency_ns
        self.library = SimpleNamespace(AX_ENGINE_RunSyncV2=self._call)
        self.collecting: list[bool] = []
        self.clock = Clock(lambda: self.now_ns, lambda _seconds: None)
        self.inner = Inner(self.clock.now_ns)

    def _call(self) -> int:
        self.now_ns += self.latency_ns(self.runs)
        self.runs += 1
        return 0

    def get_inputs(self) -> Sequence[Any]:
        return ()

    get_outputs = get_inputs

    def get_providers(self) -> str:
        return "AxEngineExecutionProvider"

    def run(self, _names: None, _feed: Mapping[str, Any]) -> Sequence[object]:
        self.collecting.append(gc.isenabled())
        self.library.AX_ENGINE_RunSyncV2()
        return ()

    def spend(self, time_ns: int) -> dict[str, Any]:
        """Take time outside the runtime."""
        self.now_ns += time_ns
        return {}

    def stopwatch(self) -> Stopwatch:
        session: Session = self
        return Stopwatch(
            session, lambda: self.spend(7 * MS), lambda _outputs: self.spend(9 * MS), self.inner
        )

    def measure(self, plan: Plan) -> dict[str, Any]:
        return measure.measure(self.stopwatch(), plan, self.clock, lambda: self.spend(300 * MS))


def warmed(latency_ns: Callable[[int], int], planned: int | None = None) -> tuple[list[int], str]:
    scripted = Scripted(latency_ns)
    stopwatch = scripted.stopwatch()
    return warm_up(lambda: stopwatch.lap()[0], scripted.clock, planned)


def test_what_is_around_an_inference_is_not_in_its_latency() -> None:
    result = Scripted(lambda run: (run + 1) * MS).measure(Plan(2, 4, None, 2))

    assert result["first_ns"] == 1 * MS
    assert result["warmup_ns"] == [2 * MS, 3 * MS]
    assert result["samples_ns"] == [4 * MS, 5 * MS, 6 * MS, 7 * MS]
    assert result["parts_ns"] == {"pre": 4 * [7 * MS], "post": 4 * [9 * MS]}


def test_the_c_call_is_told_apart_where_it_can_be_seen() -> None:
    scripted = Scripted(lambda _run: 5 * MS)
    call = scripted.inner.wrap(scripted.library.AX_ENGINE_RunSyncV2)

    def copying() -> int:
        scripted.spend(2 * MS)
        call()
        scripted.spend(3 * MS)
        return 0

    scripted.library.AX_ENGINE_RunSyncV2 = copying

    result = scripted.measure(Plan(0, 2, None, 1))

    assert result["samples_ns"] == [10 * MS, 10 * MS]
    assert result["parts_ns"] == {
        "pre": [7 * MS, 7 * MS],
        "copy_in": [2 * MS, 2 * MS],
        "npu": [5 * MS, 5 * MS],
        "copy_out": [3 * MS, 3 * MS],
        "post": [9 * MS, 9 * MS],
    }


def test_nothing_is_collected_while_the_steady_state_is_timed() -> None:
    scripted = Scripted(lambda _run: MS)

    scripted.measure(Plan(1, 4, None, 2))

    assert scripted.collecting == [True, True, False, False, False, False]
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("plan", "sizes"),
    [
        (Plan(0, 10, None, 3), [4, 3, 3]),
        (Plan(0, 2, None, 5), [1, 1]),
        (Plan(0, 10, 0.09, 2), [5, 5]),
        (Plan(0, 1, 34.0, 1), [2000]),  # 17 ms each, with what is around it
    ],
)
def test_the_steady_state_is_made_of_blocks(plan: Plan, sizes: list[int]) -> None:
    result = Scripted(lambda _run: MS).measure(plan)

    assert result["block_sizes"] == sizes
    assert len(result["readings"]) == len(sizes) + 1
    assert len(result["samples_ns"]) == sum(sizes)


def test_a_long_steady_state_of_a_fast_model_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "MAX_ITERATIONS", 100)

    assert Scripted(lambda _run: 1).measure(Plan(0, 1, 3600, 1))["block_sizes"] == [100]


def test_a_warm_up_goes_on_until_the_drift_is_inside_its_bound() -> None:
    times, ended = warmed(lambda run: 10 * MS + 10 * MS // (1 + run))

    assert ended == "steady"
    assert 15 < len(times) < 60
    assert times[-15] < 1.05 * times[-1]


def test_a_warm_up_that_never_settles_is_given_up() -> None:
    times, ended = warmed(lambda run: 20 * MS + run * MS)

    assert ended == "cap"
    assert measure.WARMUP_MOST_NS < sum(times) + 16 * MS * len(times) < 2 * measure.WARMUP_MOST_NS


def test_noise_is_no_drift() -> None:
    noise = [8 * MS, 12 * MS, 10 * MS, 9 * MS, 11 * MS, 13 * MS, 7 * MS]

    assert warmed(lambda run: noise[run % len(noise)])[1] == "steady"


@pytest.mark.parametrize("latency_ns", [0, 1, 30 * 1_000_000_000])
def test_a_warm_up_ends_whatever_a_run_takes(latency_ns: int) -> None:
    times, _ = warmed(lambda _run: latency_ns)

    assert len(times) <= measure.WARMUP_MOST_RUNS


def test_a_warm_up_that_is_ordered_is_that_long() -> None:
    assert warmed(lambda run: run, 3) == ([0, 1, 2], "fixed")


@pytest.mark.parametrize(
    ("medians", "still"),
    [((100, 101, 102), True), ((100, 103, 106), False), ((103, 100, 100), False), ((100,), False)],
)
def test_blocks_are_steady_when_their_medians_are_close(
    medians: Sequence[int],
    still: bool,  # noqa: FBT001 - data
) -> None:
    assert steady([5 * [middle * MS] for middle in medians]) is still


@pytest.mark.parametrize("watched", [True, False])
def test_the_agents_own_cost_is_that_of_its_clock(watched: bool) -> None:  # noqa: FBT001 - data
    asked = iter(range(0, 10**9, 50))
    clock = Clock(lambda: next(asked), lambda _seconds: None)

    # Readings of a clock that moves on by 50 ns whenever it is read.
    assert measure.overhead_ns(clock, watched=watched) == (150 if watched else 50)


def test_the_calls_that_are_watched_are_those_of_the_c_interface() -> None:
    assert CALLS == ("AX_ENGINE_RunSyncV2", "AX_ENGINE_RunGroupIOSync")
