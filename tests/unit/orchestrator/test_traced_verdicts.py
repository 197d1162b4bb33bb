"""Verdicts over scripted boards, by the agent's own code; benchmarks/verdicts.py has more."""

from __future__ import annotations

import pytest

from benchmarks.traced_runs import TracedBoard, scripts
from benchmarks.verdicts import confusion, doubted, missed
from containers.board_sim.replaying import Script


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> TracedBoard:
    return TracedBoard(tmp_path_factory.mktemp("traced"))


@pytest.mark.parametrize(
    "script", scripts(1, first_seed=1000), ids=lambda script: str(script).replace(" ", "-")
)
def test_a_trace_gets_the_verdict_that_is_true_of_it(board: TracedBoard, script: Script) -> None:
    lived = board.live(script)

    assert lived.judged.verdict == lived.truth, lived.judged.evidence


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_no_disturbed_run_is_valid_and_hardly_a_clean_one_is_doubted(board: TracedBoard) -> None:
    lived = [board.live(script) for script in scripts(2, first_seed=2000)]

    clean = sum(one.truth == "VALID" for one in lived)
    assert missed(lived) == []
    assert len(doubted(lived)) <= 0.02 * clean, "\n".join(confusion(lived))
