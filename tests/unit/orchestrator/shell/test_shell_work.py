"""Running models by shell: by the vendor's tool, detached, within a deadline, and told honestly."""

from __future__ import annotations

import base64
import json
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.domain import Json
from orchestrator.errors import AgentError
from orchestrator.shell.agent import ShellAgent
from tests.unit.orchestrator.processes import ends

if TYPE_CHECKING:
    from tests.unit.orchestrator.shell.conftest import Kit, ShellBoard

MODEL, INPUT = b"an axmodel", b"\x01\x02\x03\x04"
SIDECAR: dict[str, Json] = {
    "inputs": [{"name": "x", "dtype": "uint8", "shape": [1, 2, 2]}],
    "outputs": [{"name": "y", "dtype": "int32", "shape": [1, 1]}],
    "simulated": False,
}
FIGURES = "min =   7.658 ms   max =   7.672 ms   avg =   7.662 ms"
#: Tells what it was asked, and copies its input to its output.
TOOL = """#!/bin/sh
case "$*" in *--help*) echo "  --use-tensor-name"; exit 0 ;; esac
echo "$@" >>{folder}/asked
{body}
in='' out=''
while [ $# -gt 0 ]; do
    case $1 in -i) in=$2 ;; -o) out=$2 ;; esac
    shift
done
if [ -n "$in" ]; then
    for n in 0 1; do
        if [ -f "$in$n/x.bin" ]; then cat "$in$n/x.bin" >"$out$n/y.bin"; fi
    done
fi
echo " engine ver: 2.7.2a"
echo "   tool ver: 1.0.0"
echo "{figures}"
"""


def ready(
    board: ShellBoard, agent: ShellAgent, kit: Kit, body: str = "", figures: str = FIGURES
) -> Path:
    """Deploy a release and give the board the tool; gives the file that has what it was asked."""
    tool = board.root / "opt/bin/ax_run_model"
    tool.parent.mkdir(parents=True)
    tool.write_text(TOOL.format(folder=board.folder, body=body, figures=figures))
    tool.chmod(0o755)
    kit.acquire(agent)
    files = {"model.axmodel": MODEL, "model.json": json.dumps(SIDECAR).encode()}
    kit.deploy(board, agent, "r1", **files)
    return board.folder / "asked"


def benchmark(run_id: str = "run-1", **more: Json) -> dict[str, Json]:
    asked: dict[str, Json] = {"run_id": run_id, "model": "model.axmodel", "deadline_s": 30}
    return asked | {"warmup": 2, "iterations": 10} | more


def infer(kit: Kit, images: int = 1, **more: Json) -> dict[str, Json]:
    asked: dict[str, Json] = {"run_id": "run-2", "model": "model.axmodel", "deadline_s": 30}
    return asked | {"inputs": [kit.digest(INPUT)] * images} | more


def test_a_benchmark_has_the_tools_figures_and_no_samples_of_its_own(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    asked = ready(board, agent, kit)

    result = agent.ask("benchmark", benchmark())

    assert result["instrument"] == "ax_run_model"
    assert result["samples_ns"] == []
    summary = result["summary"]
    assert isinstance(summary, dict)
    assert (summary["min_ms"], summary["max_ms"], summary["mean_ms"]) == (7.658, 7.672, 7.662)
    assert summary["median_ms"] is None
    assert asked.read_text().split()[2:] == ["-w", "2", "-r", "10"]


def test_an_inference_takes_raw_tensors_there_and_back(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    asked = ready(board, agent, kit)
    kit.send(board, agent, INPUT)

    result = agent.ask("infer", infer(kit, images=2))

    outputs = result["outputs"]
    assert isinstance(outputs, list)
    assert len(outputs) == 2
    for tensors in outputs:
        assert isinstance(tensors, dict)
        y = tensors["y"]
        assert isinstance(y, dict)
        assert (y["dtype"], y["shape"]) == ("int32", [1, 1])
        assert zlib.decompress(base64.b64decode(str(y["data"]))) == INPUT
    assert "--use-tensor-name" in asked.read_text()


def test_a_staged_release_can_be_tried_before_it_is_current(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    ready(board, agent, kit)
    files = {"model.axmodel": b"next", "model.json": json.dumps(SIDECAR).encode()}
    for data in (*files.values(), INPUT):
        kit.send(board, agent, data)
    agent.ask("stage", kit.release("r2", files))

    agent.ask("infer", infer(kit, release_id="r2"))

    assert (board.folder / "asked").read_text().split()[1].endswith(kit.digest(b"next"))
    assert (board.work / "current").readlink().name == "r1"


@pytest.mark.slow
def test_the_same_run_is_told_again_and_not_made_again(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    asked = ready(board, agent, kit)

    first = agent.ask("benchmark", benchmark())
    again = agent.ask("benchmark", benchmark())
    other = agent.ask("benchmark", benchmark(iterations=11))

    assert again == first
    assert other["instrument"] == "ax_run_model"
    assert len(asked.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("body", "figures", "code"),
    [
        ("exit 0", FIGURES, "RUN_FAILED"),
        ("", "no figures", "RUN_FAILED"),
        ("exit 3", FIGURES, "RUN_FAILED"),
        ("echo '[Engine] Create handle from memory failed.'; exit 1", "", "MODEL_REJECTED"),
    ],
    ids=["rc 0 with nothing", "no figures", "rc 3", "load"],
)
def test_a_failed_run_is_an_error_whatever_it_returns(
    board: ShellBoard, agent: ShellAgent, kit: Kit, body: str, figures: str, code: str
) -> None:
    ready(board, agent, kit, body, figures)

    with pytest.raises(AgentError) as raised:
        agent.ask("benchmark", benchmark())

    assert raised.value.code == code


@pytest.mark.slow
def test_a_run_is_killed_at_its_deadline(board: ShellBoard, agent: ShellAgent, kit: Kit) -> None:
    ready(board, agent, kit, f"echo $$ >{board.folder}/pid; while :; do sleep 1; done")
    (board.root / "proc/uptime").unlink()  # the machine's own clock goes on
    kit.acquire(agent)

    with pytest.raises(AgentError) as raised:
        agent.ask("benchmark", benchmark(deadline_s=1))

    assert raised.value.code == "TIMEOUT"
    assert ends(board.folder / "pid")


@pytest.mark.slow
def test_while_one_run_is_at_work_another_is_refused_and_can_be_cancelled(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    ready(board, agent, kit, f"echo $$ >{board.folder}/pid; while :; do sleep 1; done")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(agent.ask, "benchmark", benchmark())
        wait_for(board.folder / "pid")

        with pytest.raises(AgentError, match="run-1") as busy:
            agent.ask("benchmark", benchmark("run-9"))
        cancelled = agent.ask("cancel", {})

        with pytest.raises(AgentError, match="cancelled") as ended:
            running.result(20)

    assert busy.value.code == "BUSY"
    assert ended.value.code == "RUN_FAILED"
    assert cancelled == {"cancelled": "run-1"}
    assert ends(board.folder / "pid")
    assert agent.ask("cancel", {}) == {"cancelled": None}


@pytest.mark.slow
def test_who_takes_the_board_over_ends_what_its_last_holder_left_running(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    ready(board, agent, kit, f"echo $$ >{board.folder}/pid; while :; do sleep 1; done")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(agent.ask, "benchmark", benchmark())
        wait_for(board.folder / "pid")
        board.agent().ask("lease", {"op": "break"})
        with pytest.raises(AgentError):
            running.result(20)

    assert ends(board.folder / "pid")


@pytest.mark.slow
def test_a_board_that_is_given_back_runs_nothing_and_the_run_may_be_asked_for_again(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    ready(board, agent, kit, f"echo $$ >{board.folder}/pid; while :; do sleep 1; done")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(agent.ask, "benchmark", benchmark())
        wait_for(board.folder / "pid")
        agent.ask("lease", {"op": "release"})
        with pytest.raises(AgentError):
            running.result(20)

    assert ends(board.folder / "pid")
    assert list(board.work.glob("results/run-1.d")) == []


def test_a_simulated_model_is_refused_by_a_genuine_board(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    ready(board, agent, kit)
    (board.root / "etc").mkdir()
    (board.root / "etc/orch-simulated-board").touch()

    with pytest.raises(AgentError, match="a genuine model on a simulated board") as raised:
        agent.ask("benchmark", benchmark())

    assert raised.value.code == "MODEL_REJECTED"


def test_an_input_of_the_wrong_size_is_refused_with_both_sizes(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    ready(board, agent, kit)
    kit.send(board, agent, b"123")

    with pytest.raises(AgentError, match="4 bytes; the request gives 3 bytes") as raised:
        agent.ask("infer", infer(kit, inputs=[kit.digest(b"123")]))

    assert raised.value.code == "INPUT_MISMATCH"


def test_a_board_without_the_tool_has_no_runtime(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    ready(board, agent, kit)
    (board.root / "opt/bin/ax_run_model").unlink()

    with pytest.raises(AgentError, match="ax_run_model") as raised:
        agent.ask("benchmark", benchmark())

    assert raised.value.code == "NO_RUNTIME"


@pytest.mark.parametrize("kind", ["fetch", "serve"])
def test_what_takes_a_server_or_a_client_is_refused(agent: ShellAgent, kind: str) -> None:
    with pytest.raises(AgentError, match=kind) as raised:
        agent.ask(kind, {})

    assert raised.value.code == "BAD_REQUEST"


def wait_for(path: Path) -> None:
    end = time.monotonic() + 20
    while not path.exists() or not path.read_text():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.01)
