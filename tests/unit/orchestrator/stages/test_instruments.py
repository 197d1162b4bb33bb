"""The vendor's tool and several processes at once: asked for, understood, and never fatal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from board_agent import protocol
from orchestrator.agent import Agent
from orchestrator.domain import BoardOutcome, Contend, Json, Recipe, Release
from orchestrator.errors import AgentError
from orchestrator.fleet.beside import beside, failed_beside, remarks_beside
from orchestrator.stages.instruments import contend, second_opinion

TEXT = """\
   Run AxModel:
          type: 3 Core
          vnpu: Disable
        repeat: 5
   pulsar2 ver: 3.2 99cf147d
    engine ver: 2.12.0s
      tool ver: 2.5.1a
      cmm size: 10488066 Bytes
  min =   3.169 ms   max =   3.180 ms   avg =   3.174 ms  median =   3.175 ms
   5% =   3.171 ms   90% =   3.178 ms   95% =   3.179 ms     99% =   3.180 ms
"""
SENSORS: dict[str, Json] = {"npu_clock_mhz": 800}


def process(text: str = TEXT, returncode: int = 0, **more: Json) -> dict[str, Json]:
    known: dict[str, Json] = {"affinity": None, "started_ns": 0, "ended_ns": 10}
    return known | {"log": text, "returncode": returncode} | more


def tool(*processes: Json) -> dict[str, Any]:
    found: dict[str, Json] = {"processes": list(processes), "before": SENSORS, "after": SENSORS}
    return protocol.success(found)


@pytest.fixture
def ask(
    scripted_board: Callable[..., Any],
    agent_of: Callable[[Any], Agent],
    release: Callable[..., Release],
) -> Callable[[Mapping[str, dict[str, Any]]], tuple[Agent, Release, Any]]:
    """Gives a board with these replies, and a release."""

    def make(replies: Mapping[str, dict[str, Any]]) -> tuple[Agent, Release, Any]:
        board = scripted_board(replies)
        return agent_of(board), release({"model.axmodel": b"m"}), board

    return make


Ask = Callable[[Mapping[str, dict[str, Any]]], tuple[Agent, Release, Any]]


def test_the_tools_figures_are_kept_with_its_text_and_versions(ask: Ask, recipe: Recipe) -> None:
    agent, release, board = ask({"tool": tool(process())})

    found = second_opinion(agent, recipe, release, "run-1")

    assert (found.iterations, found.min_ms, found.max_ms, found.mean_ms) == (5, 3.169, 3.18, 3.174)
    assert (found.median_ms, found.figure_ms) == (3.175, 3.175)
    assert found.percentiles_ms == {"5": 3.171, "90": 3.178, "95": 3.179, "99": 3.18}
    assert found.runtime["engine_version"] == "2.12.0s"
    assert (found.text, found.error_code, found.before) == (TEXT, "", SENSORS)
    (asked,) = board.asked
    assert (asked["warmup"], asked["iterations"], asked["affinities"]) == (1, 5, [])


def test_a_warm_up_that_is_left_to_the_agent_is_a_number_for_the_tool(
    ask: Ask, recipe: Recipe
) -> None:
    agent, release, board = ask({"tool": tool(process())})

    second_opinion(agent, replace(recipe, run=replace(recipe.run, warmup=None)), release, "run-1")

    assert board.asked[0]["warmup"] == 10


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        (process("", 0), "RUN_FAILED", "ended with 0 and gave no latency, saying: nothing"),
        (process(TEXT, 139), "RUN_FAILED", "ended with 139, saying"),
        (process(TEXT, -11), "RUN_FAILED", "ended with signal 11"),
        (
            process("[ERROR] Loading model {m} failed.", 255),
            "MODEL_REJECTED",
            "ended with 255 and gave no latency, saying: [ERROR] Loading model {m} failed.",
        ),
    ],
)
def test_a_failure_is_told_with_its_return_code_and_last_words(
    ask: Ask, recipe: Recipe, answer: dict[str, Json], code: str, says: str
) -> None:
    agent, release, _ = ask({"tool": tool(answer)})

    found = second_opinion(agent, recipe, release, "run-1")

    assert found.error_code == code
    assert says in found.error
    assert found.figure_ms is None


def test_a_board_without_the_tool_has_a_remark_and_no_failure(ask: Ask, recipe: Recipe) -> None:
    agent, release, _ = ask({"tool": protocol.failure("NO_RUNTIME", "no ax_run_model")})
    both = replace(recipe, run=replace(recipe.run, instruments=("axengine", "ax_run_model")))

    found: Any = beside(agent, both, release, None, "run-1")

    outcome = BoardOutcome("b1", simulated=False, facts={}, **found)
    assert outcome.error_code == ""
    assert remarks_beside(outcome) == ("ax_run_model: b1: no ax_run_model",)
    assert not failed_beside(outcome)


def test_a_lease_that_is_lost_is_no_remark(ask: Ask, recipe: Recipe) -> None:
    agent, release, _ = ask({"tool": protocol.failure("STALE_TOKEN", "the lease is gone")})

    with pytest.raises(AgentError, match="the lease is gone"):
        second_opinion(agent, recipe, release, "run-1")


def test_only_what_was_asked_for_is_measured(ask: Ask, recipe: Recipe) -> None:
    agent, release, board = ask({})

    assert beside(agent, recipe, release, None, "run-1") == {}
    assert board.asked == []


def test_company_is_asked_for_by_release(ask: Ask, recipe: Recipe) -> None:
    timed: dict[str, Json] = {"alone_ns": [1_000_000] * 5, "together_ns": [2_000_000] * 5}
    result: dict[str, Json] = {
        "processes": [timed, timed, timed],
        "shared_ns": 10**7,
        "overlap": 0.95,
        "before": SENSORS,
        "after": SENSORS,
    }
    agent, release, board = ask({"contend": protocol.success(result)})

    found = contend(agent, recipe, release, Contend(3, "other-1"), "run-1")

    assert board.asked[0]["others"] == ["other-1", "other-1"]
    assert board.asked[0]["release_id"] == release.release_id
    names = [one.release_id for one in found.contenders]
    assert names == [release.release_id, "other-1", "other-1"]
    assert [one.slowdown for one in found.contenders] == [2.0] * 3


def test_masks_are_measured_by_the_tool_each_alone_and_all_at_once(
    ask: Ask, recipe: Recipe
) -> None:
    agent, release, board = ask({"tool": tool(process(affinity=1), process(affinity=1))})

    found = contend(agent, recipe, release, Contend(2, None, (1, 1)), "run-1")

    assert [asked["affinities"] for asked in board.asked] == [[1], [1, 1]]
    assert len({asked["run_id"] for asked in board.asked}) == 2
    assert found.instrument == "ax_run_model"
    assert [one.figure for one in found.contenders] == ["median", "median"]
    assert [one.affinity for one in found.contenders] == [1, 1]
    assert found.overlap == 1.0


def test_a_contention_that_failed_fails_the_command_and_not_the_board(
    ask: Ask, recipe: Recipe
) -> None:
    full = protocol.failure("CMM_FULL", "process 2: no memory")
    agent, release, _ = ask({"contend": full})

    found: Any = beside(agent, recipe, release, Contend(2), "run-1")

    outcome = BoardOutcome("b1", simulated=False, facts={}, **found)
    assert outcome.contention is not None
    assert outcome.contention.error_code == "CMM_FULL"
    assert failed_beside(outcome)
    assert remarks_beside(outcome) == ("contention: b1: process 2: no memory",)


@pytest.mark.parametrize("spec", [Contend(2), Contend(2, None, (1, 2))], ids=["processes", "masks"])
def test_processes_of_a_scripted_board_never_meet_and_are_not_timed(
    ask: Ask, recipe: Recipe, spec: Contend
) -> None:
    agent, release, board = ask({})

    found: Any = beside(agent, recipe, release, spec, "run-1", trace="clean seed 3")

    outcome = BoardOutcome("b1", simulated=True, facts={}, **found)
    assert board.asked == []
    assert failed_beside(outcome)
    assert "clean seed 3" in remarks_beside(outcome)[0]


@pytest.mark.parametrize(
    "broken",
    [
        [],
        ["x"],
        [{"log": 1, "returncode": 0}],
        [{"log": "x"}],
        [process(TEXT, 0) | {"returncode": "0"}],
    ],
)
def test_an_answer_that_is_none_is_refused(ask: Ask, recipe: Recipe, broken: list[Json]) -> None:
    agent, release, _ = ask({"tool": tool(*broken)})

    with pytest.raises(AgentError, match="no usable"):
        second_opinion(agent, recipe, release, "run-1")
