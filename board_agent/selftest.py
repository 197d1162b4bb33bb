"""The vendor's own model, run in a process of its own: does this board's runtime work at all?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from board_agent import facts, files, protocol, request, runtime, sites
from board_agent.answer import answer
from board_agent.errors import AgentError
from board_agent.lease import Lease
from board_agent.places import Board, this_board, worker_environment

MODELS = "/opt/data/npu/models"
RUNS = 5
_START = "from board_agent.selftest import main; main()"
_TAIL_LINES = 5


def models(board: Board) -> list[Path]:
    """The models that came with the board, the smallest first."""
    found = [path for path in board.path(MODELS).glob("*.axmodel") if path.is_file()]
    return sorted(found, key=lambda path: (path.stat().st_size, path.name))


def kept(board: Board, work_dir: Path) -> dict[str, Any] | None:
    """The last result, where nothing that it depends on has changed since."""
    try:
        found = json.loads(_file(work_dir).read_bytes().decode("utf-8"))
        same = found["state"] == _state(board, work_dir)
        return dict(found["result"]) if same else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def carry_out(asked: dict[str, Any], lease: Lease) -> dict[str, Any]:
    """Run the smallest of them and keep the result.

    Raises:
        AgentError: the runtime's own failure, TIMEOUT, RUN_FAILED where it died, or NO_RUNTIME
            where there is no model to run.
    """
    deadline_s = request.seconds(asked, "deadline_s")
    board, place = lease.board, lease.place
    with lease.fenced(place.token):
        found = models(board)
    if not found:
        raise AgentError("NO_RUNTIME", f"{MODELS}: no model came with this board")
    # Not under the lock: the heartbeat has to come through.
    result = _in_a_process(found[0], board, place.work_dir, deadline_s)
    text = json.dumps({"state": _state(board, place.work_dir), "result": result})
    with lease.fenced(place.token):
        files.make_dir(_file(place.work_dir).parent)
        files.write(_file(place.work_dir), text.encode("utf-8"))
    return result


def _file(work_dir: Path) -> Path:
    return work_dir / "python" / "selftest.json"


def _state(board: Board, work_dir: Path) -> list[Any]:
    """All that a result depends on."""
    return [
        sites.current(work_dir),
        list(sys.version_info[:3]),
        facts.read_axengine(board, work_dir),
        facts.read_sdk_version(board),
        [[path.name, path.stat().st_size] for path in models(board)],
    ]


def _in_a_process(model: Path, board: Board, work_dir: Path, deadline_s: float) -> dict[str, Any]:
    package_root = Path(__file__).absolute().parent.parent
    try:
        done = subprocess.run(
            [sys.executable, "-c", _START, str(model)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=worker_environment(board, os.environ, package_root, sites.site(work_dir)),
            timeout=deadline_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        message = f"{model.name}: the self-test took over {deadline_s:g} s"
        raise AgentError("TIMEOUT", message) from error
    try:
        reply = protocol.unpack(done.stdout)
    except protocol.FrameError as error:
        tail = done.stderr.decode("utf-8", "replace").splitlines()[-_TAIL_LINES:]
        message = f"{model.name}: the self-test ended with {done.returncode}, saying nothing"
        raise AgentError("RUN_FAILED", message, {"log_tail": "\n".join(tail)}) from error
    if not reply["ok"]:
        raise AgentError(reply["error"]["code"], f"{model.name}: {reply['error']['message']}")
    result: dict[str, Any] = reply["result"]
    return result


def main() -> None:
    """Run the model named on the command line; the frame is all that goes to stdout."""
    reply_to = os.dup(1)
    os.dup2(2, 1)
    reply = answer(lambda: protocol.success(_measure(sys.argv[1], this_board(os.environ))))
    os.write(reply_to, protocol.pack(reply))
    sys.stdout.flush()
    # The runtime may complain or hang when a session lives at exit; the answer is out.
    os._exit(0)


def _measure(model: str, board: Board) -> dict[str, Any]:
    axengine = runtime.import_axengine(board)
    from board_agent import tensors  # numpy: known to be there only now

    session = runtime.open_session(axengine, model, runtime.clock_of(axengine, board))
    feed = tensors.zeros(session.get_inputs())
    times_ns = []
    for _ in range(RUNS):
        start = time.perf_counter_ns()
        outputs = runtime.run_once(session, feed)
        times_ns.append(time.perf_counter_ns() - start)
    return {
        "model": Path(model).name,
        "first_ns": times_ns[0],
        "samples_ns": times_ns[1:],
        "outputs": len(outputs),
        "axengine_path": str(Path(axengine.__file__).parent),
    }
