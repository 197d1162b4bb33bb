"""The work itself: one model, one session, one process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Callable, Sequence

from board_agent import builds, facts, runtime, sensors
from board_agent.builds import Build
from board_agent.errors import AgentError
from board_agent.inner import Inner
from board_agent.jobs import Job
from board_agent.measure import Stopwatch, measure, overhead_ns
from board_agent.places import Board
from board_agent.protocol import MAX_REPLY_BYTES
from board_agent.runtime import Clock, Session

#: What the runtime says of a model whatever is wrong.
NOT_LOADED = "Failed to load model."
#: The rest of a reply is the frame around the outputs, and names.
MAX_OUTPUT_BYTES = MAX_REPLY_BYTES - 1024 * 1024
#: What the runtime has to say of itself stands near the beginning.
_MAX_LOG_BYTES = 1024 * 1024


def run(job: Job, board: Board, log_path: Path) -> dict[str, Any]:
    """The result of any kind of work; stdout and stderr of this process go to the log."""
    _check_kind_of_board(job, board)
    if job.kind == "tool":
        from board_agent import tool

        return tool.run(job, board, log_path)
    if job.kind == "contend":
        from board_agent import contention

        result = contention.run(job, board)
        return {**result, "runtime": runtime.printed_facts(_read_log(log_path))}
    axengine = runtime.import_axengine(board)
    clock = runtime.clock_of(axengine, board)
    start = clock.now_ns()

    def read() -> dict[str, Any]:
        return {"at_ns": clock.now_ns() - start, **sensors.read_sensors(board)}

    before = read()
    try:
        opening = clock.now_ns()
        session = runtime.open_session(axengine, job.model_path, clock)
        load_ns = clock.now_ns() - opening
    except AgentError as error:
        raise _explained(error, job, board, log_path) from error
    if job.kind == "benchmark":
        result = _benchmark(job, session, clock, read)
        result.update(load_ns=load_ns, before=before)
    else:
        result = _infer(job, session)
    package = Path(axengine.__file__).parent
    result["runtime"] = _runtime_facts(session, log_path, builds.on_board(package, board))
    if board.simulated() and hasattr(axengine, "simulated_trace"):
        result["runtime"]["trace"] = axengine.simulated_trace  # its times are scripted
    return result


def _benchmark(
    job: Job, session: Session, clock: Clock, read: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    from board_agent import tensors  # numpy: known to be there only now

    inputs = session.get_inputs()
    tensors.check_inputs(job.model, job.sidecar["inputs"], inputs)
    if job.inputs:
        given = tensors.read_feed(job.model, inputs, job.inputs[0])
    else:
        given = tensors.zeros(inputs)
    inner = Inner(clock.now_ns)
    watched = inner.watch()
    last: list[Any] = []

    def keep(outputs: Sequence[object]) -> None:
        last[:] = tensors.copies(outputs)

    stopwatch = Stopwatch(session, lambda: tensors.contiguous(given), keep, inner)
    result = measure(stopwatch, job.plan, clock, read)
    if job.inputs:  # of zeros some sound models make NaN
        tensors.check_numbers(job.model, last, session.get_outputs())
    result["overhead_ns"] = overhead_ns(clock, watched=watched)
    return result


def _infer(job: Job, session: Session) -> dict[str, Any]:
    from board_agent import tensors  # numpy: known to be there only now

    inputs, outputs = session.get_inputs(), session.get_outputs()
    tensors.check_inputs(job.model, job.sidecar["inputs"], inputs)
    encoded, size_bytes = [], 0
    for done, path in enumerate(job.inputs, start=1):
        feed = tensors.read_feed(job.model, inputs, path)
        given = runtime.run_once(session, feed)
        tensors.check_numbers(job.model, given, outputs)
        encoded.append(tensors.encode(given, outputs))
        size_bytes += sum(len(tensor["data"]) for tensor in encoded[-1].values())
        if size_bytes > MAX_OUTPUT_BYTES:
            raise AgentError(
                "BAD_REQUEST",
                f"{job.model}: the outputs of {done} of {len(job.inputs)} images have {size_bytes} "
                f"bytes, a reply takes {MAX_OUTPUT_BYTES}: ask for fewer images at once",
                {"images": done, "size_bytes": size_bytes, "limit_bytes": MAX_OUTPUT_BYTES},
            )
    return {"outputs": encoded}


def _runtime_facts(session: Session, log_path: Path, build: Build | None) -> dict[str, Any]:
    from board_agent import tensors  # numpy: known to be there only now

    providers = session.get_providers()
    found: dict[str, Any] = dict(runtime.printed_facts(_read_log(log_path)))
    found["providers"] = [providers] if isinstance(providers, str) else list(providers)
    found["inputs"] = tensors.describe(session.get_inputs())
    found["outputs"] = tensors.describe(session.get_outputs())
    found["axengine_build"] = build.name if build else None
    found["avoided"] = list(build.avoided) if build else []
    return found


def _check_kind_of_board(job: Job, board: Board) -> None:
    simulated = job.sidecar.get("simulated", board.simulated())
    if simulated != board.simulated():
        kinds = {True: "simulated", False: "genuine"}
        model, here = kinds[bool(simulated)], kinds[board.simulated()]
        raise AgentError("MODEL_REJECTED", f"{job.model}: a {model} model on a {here} board")


def _explained(error: AgentError, job: Job, board: Board, log_path: Path) -> AgentError:
    """The error with what the runtime leaves out: it says the same for many causes."""
    printed, memory = runtime.printed_facts(_read_log(log_path)), sensors.read_cmm(board)
    made_by, size_bytes = job.sidecar.get("pulsar2"), Path(job.model_path).stat().st_size
    details = {
        "sdk_version": facts.read_sdk_version(board),
        "engine_version": printed["engine_version"],
        "pulsar2_version": made_by.get("version") if isinstance(made_by, dict) else None,
        "compiler_version": printed["compiler_version"],
        "vnpu": printed["vnpu"],
        "cmm_free_bytes": memory.free_bytes if memory else None,
        "model_size_bytes": size_bytes,
    }
    known = ", ".join(f"{key} {value}" for key, value in details.items() if value is not None)
    full = error.message == NOT_LOADED and memory is not None and memory.free_bytes < size_bytes
    code = "CMM_FULL" if full else error.code
    return AgentError(code, f"{job.model}: {error.message} ({known})", details)


def _read_log(path: Path) -> str:
    sys.stdout.flush()
    with path.open("rb") as file:
        return file.read(_MAX_LOG_BYTES).decode("utf-8", "replace")
