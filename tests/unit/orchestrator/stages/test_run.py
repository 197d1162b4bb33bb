from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from board_agent import protocol
from orchestrator.agent import Agent
from orchestrator.domain import HeadSpec, Json, Recipe, Release
from orchestrator.errors import AgentError
from orchestrator.stages.run import Ran, Work, run

REFERENCE = [np.zeros((2, 4), np.int32), np.ones((2, 4), np.int32)]
TIMED: dict[str, Json] = {
    "load_ns": 50,
    "first_ns": 40,
    "warmup_ns": [30],
    "samples_ns": [10_000, 10_000, 10_000, 10_000, 10_000],
    "runtime": {},
    "before": {},
    "after": {},
}
Measure = Callable[..., Ran]


def tensor(values: Sequence[float], shape: list[Json], dtype: str = "int32") -> dict[str, Json]:
    content = np.array(values, dtype=dtype).tobytes()
    return {
        "dtype": dtype,
        "shape": shape,
        "data": base64.b64encode(zlib.compress(content)).decode(),
    }


def ids(values: Sequence[int]) -> dict[str, Json]:
    """What a model with an ArgMax head gives for one image."""
    return {"argmax_output": tensor(values, [1, 1, 2, 4])}


@pytest.fixture
def measure(
    scripted_board: Callable[..., Any],
    agent_of: Callable[[Any], Agent],
    release: Callable[..., Release],
    recipe: Recipe,
) -> Measure:
    """Measures a board that gives these outputs; `asked` gets what it was asked."""

    def do(
        outputs: Json, asked: list[dict[str, Json]] | None = None, recipe: Recipe = recipe
    ) -> Ran:
        board = scripted_board(
            {
                "benchmark": protocol.success(TIMED),
                "infer": protocol.success({"outputs": outputs, "runtime": {}}),
            }
        )
        work = Work(recipe, release({"m": b""}, [b"a", b"b"]), REFERENCE, "run-1")
        ran = run(agent_of(board), work)
        if asked is not None:
            asked.extend(board.asked)
        return ran

    return do


def test_a_board_is_timed_and_compared(measure: Measure) -> None:
    ran = measure([ids([0] * 8), ids([1] * 6 + [2, 9])])

    assert ran.last.measurement.samples_ns == (10_000,) * 5
    assert ran.last.measurement.board == "b1"
    assert ran.last.judged.verdict == "VALID"
    assert ran.agreement.per_image == (1, 0.75)
    assert ran.answers[1].tolist() == [[1, 1, 1, 1], [1, 1, 2, 9]]


def test_the_two_requests_say_what_the_recipe_says(measure: Measure) -> None:
    asked: list[dict[str, Json]] = []
    measure([ids([0] * 8), ids([1] * 8)], asked)

    timed, inferred = asked
    assert (timed["kind"], timed["warmup"], timed["iterations"]) == ("benchmark", 1, 5)
    assert (inferred["kind"], timed["deadline_s"], inferred["deadline_s"]) == ("infer", 9, 9)
    # Two pieces of work under one id would answer for each other.
    assert timed["run_id"] != inferred["run_id"]
    assert isinstance(inferred["inputs"], list)
    assert timed["input"] == inferred["inputs"][0]
    assert len(inferred["inputs"]) == 2


def test_logits_are_compared_by_their_largest(measure: Measure, recipe: Recipe) -> None:
    logits = np.zeros((1, 3, 2, 4))
    logits[0, 1] = 1
    one = {"logits": tensor(logits.ravel().tolist(), [1, 3, 2, 4], "float32")}

    ran = measure([one, one], recipe=replace(recipe, head=HeadSpec("none", 1, True, "x")))

    assert ran.agreement.per_image == (0, 1)


@pytest.mark.parametrize(
    "outputs",
    [
        [],
        [ids([0] * 8)],
        [ids([0] * 8)] * 3,
        [ids([0] * 8), {"other": tensor([0] * 8, [1, 1, 2, 4])}],
        [ids([0] * 8), {"other": tensor([0], [1])}, ids([0] * 8)],
        [{"argmax_output": tensor([0] * 8, [1, 1, 4, 2])}] * 2,
        [{"argmax_output": tensor([0] * 8, [8])}] * 2,
        [{"argmax_output": tensor([0] * 8, [8], "float32")}] * 2,
        [{"argmax_output": tensor([0], [])}] * 2,
        [{"argmax_output": tensor([0] * 16, [2, 1, 2, 4])}] * 2,
    ],
    ids=range(10),
)
def test_outputs_that_do_not_fit_the_recipe_are_a_typed_error(
    measure: Measure, outputs: Json
) -> None:
    with pytest.raises(AgentError, match=r"^b1: 'argmax_output' came back for \d images") as caught:
        measure(outputs)

    assert caught.value.code == "INPUT_MISMATCH"


def test_a_board_that_times_fewer_inferences_than_asked_has_no_valid_measurement(
    measure: Measure, recipe: Recipe
) -> None:
    longer = replace(recipe, run=replace(recipe.run, iterations=6))

    ran = measure([ids([0] * 8), ids([1] * 8)], recipe=longer)

    assert ran.last.judged.verdict == "INVALID"
    assert "5 samples came back, 6 were asked for" in str(ran.last.judged.evidence[0])
