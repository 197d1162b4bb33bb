"""The work itself: one model, one session, one process."""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

from board_agent import facts, runtime
from board_agent.errors import AgentError
from board_agent.jobs import Job
from board_agent.places import Board
from board_agent.runtime import Session

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: What the runtime has to say of itself stands near the beginning.
_MAX_LOG_BYTES = 1024 * 1024


def run(job: Job, board: Board, log_path: Path) -> dict[str, Any]:
    """The result of `benchmark` or `infer`; stdout and stderr of this process go to the log."""
    _check_kind_of_board(job, board)
    axengine = runtime.import_axengine(board)
    before = facts.read_sensors(board)
    start = time.perf_counter_ns()
    try:
        session = runtime.open_session(axengine, job.model_path)
    except AgentError as error:
        raise _explained(error, job, board, log_path) from error
    load_ns = time.perf_counter_ns() - start
    if job.kind == "benchmark":
        result = _benchmark(job, session)
        result.update(load_ns=load_ns, before=before, after=facts.read_sensors(board))
    else:
        result = _infer(job, session)
    result["runtime"] = _runtime_facts(session, log_path)
    return result


def _benchmark(job: Job, session: Session) -> dict[str, Any]:
    from board_agent import tensors  # numpy: known to be there only now

    inputs = session.get_inputs()
    tensors.check_inputs(job.model, job.sidecar["inputs"], inputs)
    if job.inputs:
        feed = tensors.read_feed(job.model, inputs, job.inputs[0])
    else:
        feed = tensors.zeros(inputs)
    first_ns = _time(session, feed)
    warmup_ns = [_time(session, feed) for _ in range(job.warmup)]
    gc.collect()
    gc.disable()
    try:
        samples_ns = [_time(session, feed) for _ in range(job.iterations)]
    finally:
        gc.enable()
    return {"first_ns": first_ns, "warmup_ns": warmup_ns, "samples_ns": samples_ns}


def _infer(job: Job, session: Session) -> dict[str, Any]:
    from board_agent import tensors  # numpy: known to be there only now

    inputs, outputs = session.get_inputs(), session.get_outputs()
    tensors.check_inputs(job.model, job.sidecar["inputs"], inputs)
    encoded = []
    for path in job.inputs:
        feed = tensors.read_feed(job.model, inputs, path)
        encoded.append(tensors.encode(runtime.run_once(session, feed), outputs))
    return {"outputs": encoded}


def _time(session: Session, feed: Mapping[str, NDArray[Any]]) -> int:
    start = time.perf_counter_ns()
    runtime.run_once(session, feed)
    return time.perf_counter_ns() - start


def _runtime_facts(session: Session, log_path: Path) -> dict[str, Any]:
    from board_agent import tensors  # numpy: known to be there only now

    providers = session.get_providers()
    found: dict[str, Any] = dict(runtime.printed_facts(_read_log(log_path)))
    found["providers"] = [providers] if isinstance(providers, str) else list(providers)
    found["inputs"] = tensors.describe(session.get_inputs())
    found["outputs"] = tensors.describe(session.get_outputs())
    return found


def _check_kind_of_board(job: Job, board: Board) -> None:
    simulated = job.sidecar.get("simulated", board.simulated())
    if simulated != board.simulated():
        kinds = {True: "simulated", False: "genuine"}
        model, here = kinds[bool(simulated)], kinds[board.simulated()]
        raise AgentError("MODEL_REJECTED", f"{job.model}: a {model} model on a {here} board")


def _explained(error: AgentError, job: Job, board: Board, log_path: Path) -> AgentError:
    """The error with what the runtime leaves out: it says the same for many causes."""
    printed, memory = runtime.printed_facts(_read_log(log_path)), facts.read_cmm(board)
    details = {
        "sdk_version": facts.read_sdk_version(board),
        "engine_version": printed["engine_version"],
        "compiler_version": printed["compiler_version"],
        "vnpu": printed["vnpu"],
        "cmm_free_bytes": memory.free_bytes if memory else None,
        "model_size_bytes": Path(job.model_path).stat().st_size,
    }
    known = ", ".join(f"{key} {value}" for key, value in details.items() if value is not None)
    return AgentError(error.code, f"{job.model}: {error.message} ({known})", details)


def _read_log(path: Path) -> str:
    sys.stdout.flush()
    with path.open("rb") as file:
        return file.read(_MAX_LOG_BYTES).decode("utf-8", "replace")
