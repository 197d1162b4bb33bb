"""What is measured beside the plain latency: the vendor's tool, and several processes at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.agent import Agent
from orchestrator.domain import (
    Contend,
    Contender,
    Contention,
    Instrument,
    Json,
    Recipe,
    Release,
    ToolMeasurement,
)
from orchestrator.errors import AgentError
from orchestrator.inferring import MARGIN_S, MODEL
from orchestrator.sharing import contention_of, judged, overlap_of, parse_processes
from orchestrator.shell.ax_run_model import (
    ToolRun,
    failure_code,
    last_words,
    parse_run,
    runtime_of,
)
from orchestrator.untrusted import an_object, malformed

#: Runs before the figures where the recipe leaves it to the agent: the tool cannot see for itself.
TOOL_WARMUP = 10
#: These are about the lease and the line: nothing else can be asked of the board either.
_BOARD_IS_LOST = frozenset({"STALE_TOKEN", "LEASED", "BUSY", "INTERNAL"})


def second_opinion(agent: Agent, recipe: Recipe, release: Release, run_id: str) -> ToolMeasurement:
    """Have the vendor's tool time the release; why it could not is a part of what comes back."""
    try:
        reply = _ask_tool(agent, recipe, release, f"{run_id}-tool", ())
        process = _processes(agent.board.name, reply)[0]
        run = _figures(agent.board.name, process)
    except AgentError as error:
        return ToolMeasurement(error_code=_bearable(error), error=error.message)
    name = agent.board.name
    return ToolMeasurement(
        iterations=run.repeat or recipe.run.iterations,
        min_ms=run.min_ms,
        max_ms=run.max_ms,
        mean_ms=run.mean_ms,
        median_ms=run.median_ms,
        percentiles_ms={f"{percent:g}": ms for percent, ms in sorted(run.percentiles_ms.items())},
        runtime=runtime_of(run),
        before=an_object(name, reply, "before"),
        after=an_object(name, reply, "after"),
        text=str(process["log"]),
        remarks=run.remarks,
    )


def contend(
    agent: Agent, recipe: Recipe, release: Release, spec: Contend, run_id: str
) -> Contention:
    """Measure the release while others share the NPU with it.

    Masks of cores only the vendor's tool can set; through the Python runtime there are none.
    """
    by_tool = bool(spec.affinities)
    try:
        if by_tool:
            return _contend_by_tool(agent, recipe, release, spec, run_id)
        others: list[Json] = [spec.release_id] * (spec.processes - 1)
        warmup = TOOL_WARMUP if recipe.run.warmup is None else recipe.run.warmup
        request = _request(recipe, release, f"{run_id}-contend", warmup) | {"others": others}
        reply = agent.ask("contend", request, recipe.run.timeout_s + MARGIN_S)
        names = [release.release_id, *([spec.release_id or release.release_id] * len(others))]
        return contention_of(agent.board.name, reply, names, recipe.run.iterations)
    except AgentError as error:
        instrument: Instrument = "ax_run_model" if by_tool else "axengine"
        return Contention(instrument, error_code=_bearable(error), error=error.message)


def _contend_by_tool(
    agent: Agent, recipe: Recipe, release: Release, spec: Contend, run_id: str
) -> Contention:
    """Run one process per mask, alone first; masks that are alike are as fast alone."""
    name = agent.board.name
    alone: dict[int, ToolRun] = {}
    for mask in sorted(set(spec.affinities)):
        reply = _ask_tool(agent, recipe, release, f"{run_id}-alone-{mask}", (mask,))
        alone[mask] = _figures(name, _processes(name, reply)[0])
    reply = _ask_tool(agent, recipe, release, f"{run_id}-contend", spec.affinities)
    processes = _processes(name, reply)
    if len(processes) != len(spec.affinities):
        raise malformed(name, "processes")
    contenders = tuple(
        _contender(release.release_id, mask, alone[mask], _figures(name, process))
        for mask, process in zip(spec.affinities, processes, strict=True)
    )
    overlap = overlap_of(parse_processes(name, processes))
    before, after = (an_object(name, reply, key) for key in ("before", "after"))
    verdict = judged("ax_run_model", contenders, overlap, before, after, recipe.run.iterations)
    return Contention("ax_run_model", contenders, overlap, before, after, verdict)


def _contender(release_id: str, mask: int, alone: ToolRun, together: ToolRun) -> Contender:
    per_s, before, after = 1e3 / together.mean_ms, alone.median_ms, together.median_ms
    if before is None or after is None:
        return Contender(release_id, mask, "mean", alone.mean_ms, together.mean_ms, per_s)
    return Contender(release_id, mask, "median", before, after, per_s)


def _ask_tool(
    agent: Agent, recipe: Recipe, release: Release, run_id: str, affinities: Sequence[int]
) -> dict[str, Json]:
    warmup = TOOL_WARMUP if recipe.run.warmup is None else recipe.run.warmup
    masks: list[Json] = list(affinities)
    request = _request(recipe, release, run_id, warmup) | {"affinities": masks}
    return agent.ask("tool", request, recipe.run.timeout_s + MARGIN_S)


def _request(recipe: Recipe, release: Release, run_id: str, warmup: int) -> dict[str, Json]:
    return {
        "run_id": run_id,
        "model": MODEL,
        "release_id": release.release_id,
        "warmup": warmup,
        "iterations": recipe.run.iterations,
        "deadline_s": recipe.run.timeout_s,
    }


def _processes(board: str, reply: Mapping[str, Json]) -> list[dict[str, Json]]:
    value = reply.get("processes")
    if not isinstance(value, list) or not value:
        raise malformed(board, "processes")
    return [an_object(board, {"process": one}, "process") for one in value]


def _figures(board: str, process: Mapping[str, Json]) -> ToolRun:
    """Read what a process of the tool printed. Raises AgentError where it is no measurement."""
    text, code = process.get("log"), process.get("returncode")
    if not isinstance(text, str) or not isinstance(code, int):
        raise malformed(board, "processes")
    run = parse_run(text)
    if run is not None and code == 0:
        return run
    how = f"signal {-code}" if code < 0 else str(code)
    named = failure_code(text) if code != 0 else "RUN_FAILED"
    lacks = "" if run is not None else " and gave no latency"
    raise AgentError(
        f"{board}: ax_run_model ended with {how}{lacks}, saying: {last_words(text)}",
        "look at the log under work_dir/results on the board",
        named,
    )


def _bearable(error: AgentError) -> str:
    """Give the code of an error that concerns this instrument only; raise any other again."""
    if error.code in _BOARD_IS_LOST:
        raise error
    return error.code
