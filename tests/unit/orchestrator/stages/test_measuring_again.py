from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from board_agent import protocol
from orchestrator.agent import Agent
from orchestrator.cooling import LOOK_S, MOST_S, STALL_S, Waiting
from orchestrator.domain import Again, CommandResult, Json, Recipe, Release
from orchestrator.stages.run import Ran, Work, run
from tests.unit.orchestrator.stand_ins import Answering

REFERENCE = [np.zeros((2, 4), np.int32)]
ANSWER: dict[str, Json] = {
    "dtype": "int32",
    "shape": [1, 1, 2, 4],
    "data": base64.b64encode(zlib.compress(bytes(32))).decode(),
}


class WarmBoard(Answering):
    """It throttles while it is hotter than 60 °C, and cools down by `cools_c` with each look."""

    def __init__(self, temperature_c: float | None, cools_c: float) -> None:
        self.temperature_c, self.cools_c = temperature_c, cools_c
        self.now_s, self.asked = 0.0, list[dict[str, Json]]()

    def run(
        self, argv: Sequence[str], stdin: bytes = b"", *, deadline_s: float, limit_bytes: int = 0
    ) -> CommandResult:
        assert argv
        assert min(deadline_s, limit_bytes) > 0
        asked = json.loads(stdin)
        self.asked.append(asked)
        reply = {"benchmark": self._timed, "probe": self._probed, "infer": self._inferred}
        return CommandResult(0, protocol.pack(protocol.success(reply[asked["kind"]]())), b"")

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now_s += seconds

    def _timed(self) -> dict[str, Any]:
        hot = self.temperature_c is None or self.temperature_c > 60
        before: dict[str, Json] = {"npu_clock_mhz": 800, "temperature_c": self.temperature_c}
        after = {**before, "npu_clock_mhz": 400 if hot else 800}
        times = {"load_ns": 5, "first_ns": 4, "warmup_ns": [3], "samples_ns": [9_000] * 5}
        return {**times, "runtime": {}, "before": before, "after": after}

    def _probed(self) -> dict[str, Any]:
        if self.temperature_c is not None:
            self.temperature_c -= self.cools_c
        facts = {"temperature_c": self.temperature_c}
        rest: Mapping[str, Json] = {"current": None, "previous": None, "lease": None}
        return {"facts": facts, "blobs": {}, "parts": {}, "holder": None, **rest}

    def _inferred(self) -> dict[str, Any]:
        return {"outputs": [{"argmax_output": ANSWER}], "runtime": {}}


Measure = Callable[[WarmBoard, Again], Ran]


@pytest.fixture
def measure(
    agent_of: Callable[[Any], Agent], release: Callable[..., Release], recipe: Recipe
) -> Measure:
    once = replace(recipe, run=replace(recipe.run, iterations=5))

    def do(board: WarmBoard, again: Again) -> Ran:
        waiting = Waiting(lambda: board.now_s, board.sleep)
        made = release({"m": b""}, [b"a"])
        return run(agent_of(board), Work(once, made, REFERENCE, "run-1", again, waiting))

    return do


def test_without_being_asked_nothing_is_measured_again(measure: Measure) -> None:
    ran = measure(WarmBoard(90, 10), Again())

    assert (ran.last.judged.verdict, ran.attempts) == ("THROTTLED", ())


def test_a_hot_board_cools_down_and_is_measured_again_until_it_is_valid(measure: Measure) -> None:
    board = WarmBoard(90, 10)

    ran = measure(board, Again(3, 55))

    assert ran.last.judged.verdict == "VALID"
    assert [one.judged.verdict for one in ran.attempts] == ["THROTTLED"]
    assert (board.temperature_c, board.now_s, ran.remarks) == (50, 3 * LOOK_S, ())
    ids = [one["run_id"] for one in board.asked if one["kind"] == "benchmark"]
    assert ids == ["run-1-benchmark", "run-1-benchmark-2"]


def test_it_is_measured_again_so_often_at_most_and_every_attempt_is_kept(measure: Measure) -> None:
    ran = measure(WarmBoard(90, 0), Again(2, 89.5))

    assert ran.last.judged.verdict == "THROTTLED"
    assert len(ran.attempts) == 2
    assert "still 90.0 °C after 60 s of cooling down to 89.5 °C" in ran.remarks[0]


def test_waiting_for_a_board_that_cools_slowly_ends(measure: Measure) -> None:
    board = WarmBoard(90, 0.25)

    measure(board, Again(1, 20))

    assert board.now_s == MOST_S


def test_a_board_that_does_not_get_colder_is_not_waited_for_to_the_end(measure: Measure) -> None:
    board = WarmBoard(90, 0.01)

    measure(board, Again(1, 20))

    assert board.now_s == STALL_S


def test_a_board_without_a_thermometer_is_measured_again_at_once(measure: Measure) -> None:
    board = WarmBoard(None, 0)

    ran = measure(board, Again(1, 50))

    assert (board.now_s, len(ran.attempts)) == (0, 1)
    assert "no thermometer" in ran.remarks[0]


def test_a_throttled_board_cools_to_where_it_began_where_nothing_is_said(measure: Measure) -> None:
    board = WarmBoard(65, 4)

    ran = measure(board, Again(2))

    assert ran.last.judged.verdict == "VALID"
    assert board.now_s == 0  # 61 is near 65: measured again at once, then 57
    assert len(ran.attempts) == 2
