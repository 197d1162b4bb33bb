"""The vendor's tool as a second instrument of a board that has Python as well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from board_agent import tool
from board_agent.beside import read_beside
from board_agent.errors import AgentError
from tests.unit.board_agent.board import Board

TOOL = {"model": "model.axmodel", "warmup": 3, "iterations": 20, "deadline_s": 60}
#: Tells what it was asked, says whether its options were looked up first, and does what it must.
SCRIPT = """#!/bin/sh
case "$*" in *--help*) echo "{help}"; echo >>{notes}/helped; exit 255 ;; esac
test -f {notes}/helped || echo "its help was not read"
echo "$@" >>{notes}/tool-asked
{body}
echo "min =   7.658 ms   max =   7.672 ms   avg =   7.662 ms"
echo "on stderr too" >&2
exit {rc}
"""


@pytest.fixture(autouse=True)
def _deployed(board: Board) -> None:
    board.deploy()


def furnish(
    board: Board, body: str = "", rc: int = 0, options: str = "--affinity  --repeat"
) -> Path:
    file = board.sysroot / "opt/bin/ax_run_model"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(SCRIPT.format(help=options, notes=board.notes, body=body, rc=rc))
    file.chmod(0o755)
    return board.notes / "tool-asked"


def test_its_text_and_return_code_come_as_they_are(board: Board) -> None:
    asked = furnish(board, rc=3)

    result = board.result("tool", run_id="x", **TOOL)

    (process,) = result["processes"]
    assert process["returncode"] == 3
    assert process["log"].splitlines() == [
        "min =   7.658 ms   max =   7.672 ms   avg =   7.662 ms",
        "on stderr too",
    ]
    assert process["affinity"] is None
    words = asked.read_text().split()
    assert words[0] == "-m"
    assert words[2:] == ["-w", "3", "-r", "20"]
    assert result["options"] == ["affinity", "repeat"]
    assert result["before"]["temperature_c"] == 49.263
    assert board.noted("starts") == 0  # the Python runtime was left alone


@pytest.mark.slow
def test_a_signal_that_ended_it_is_told(board: Board) -> None:
    furnish(board, body="kill -SEGV $$")

    (process,) = board.result("tool", run_id="x", **TOOL)["processes"]

    assert process["returncode"] == -11


def test_processes_with_a_mask_each_run_at_once(board: Board) -> None:
    # Each waits until the other one is there: one after the other they would never end.
    body = "touch {0}/on-$8; until [ -e {0}/on-1 ] && [ -e {0}/on-2 ]; do sleep 0.01; done"
    asked = furnish(board, body=body.format(board.notes))

    result = board.result("tool", run_id="x", affinities=[1, 2], **TOOL)

    assert [one["affinity"] for one in result["processes"]] == [1, 2]
    assert sorted(line.split()[-1] for line in asked.read_text().splitlines()) == ["1", "2"]
    spans = [(one["started_ns"], one["ended_ns"]) for one in result["processes"]]
    assert max(start for start, _ in spans) < min(end for _, end in spans)


def test_a_mask_is_not_given_to_a_release_that_has_none(board: Board) -> None:
    asked = furnish(board, options="--repeat --model")

    error = board.error("tool", run_id="x", affinities=[1], **TOOL)

    assert error["code"] == "BAD_REQUEST"
    assert "--affinity" in error["message"]
    assert not asked.exists()


@pytest.mark.parametrize("affinities", [[0], [8], ["1"], [1] * 9, 1])
def test_masks_that_are_none_are_refused(affinities: object) -> None:
    with pytest.raises(AgentError, match="affinities") as raised:
        read_beside({"kind": "tool", "affinities": affinities})

    assert raised.value.code == "BAD_REQUEST"


def test_a_board_without_the_tool_has_no_runtime(board: Board) -> None:
    assert board.error("tool", run_id="x", **TOOL)["code"] == "NO_RUNTIME"


@pytest.mark.slow
def test_the_same_request_is_answered_and_not_run_again(board: Board) -> None:
    asked = furnish(board)

    first = board.result("tool", run_id="x", **TOOL)

    assert board.result("tool", run_id="x", **TOOL) == first
    assert len(asked.read_text().splitlines()) == 1


def test_of_a_long_log_the_beginning_and_the_end_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"first" + b"." * 1_000_000 + b"last")

    text = tool._read(log)

    assert text.startswith("first")
    assert text.endswith("last")
    assert len(text) == tool._MAX_HEAD_BYTES + tool._MAX_TAIL_BYTES


@pytest.mark.parametrize("way", [pytest.param("deadline", marks=pytest.mark.slow), "cancel"])
def test_neither_a_deadline_nor_a_cancel_leaves_it_running(
    board: Board, until: Callable[[Callable[[], object]], None], way: str
) -> None:
    pids = board.notes / "pids"
    furnish(board, body=f"echo $$ >>{pids}; sleep 600")
    asked: dict[str, Any] = {**TOOL, "affinities": [1, 2]}
    if way == "deadline":
        asked["deadline_s"] = 1.5

    front = board.start("tool", run_id="x", **asked)
    until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    if way == "cancel":
        assert board.result("cancel", run_id="x") == {"cancelled": "x"}
    reply = board.finish(front)

    code = "TIMEOUT" if way == "deadline" else "RUN_FAILED"
    assert reply["error"]["code"] == code
    until(lambda: not any(_runs(pid) for pid in pids.read_text().split()))


def _runs(pid: str) -> bool:
    try:
        stat = Path("/proc", pid, "stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
