"""What a run of `ax_run_model` left on a board → the results of `benchmark` and `infer`. Pure."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise

from board_agent.protocol import FrameError
from orchestrator.domain import Json, TensorSpec
from orchestrator.shell.ax_run_model import failure_code, parse_run
from orchestrator.shell.facts import read_sensors
from orchestrator.shell.frame import Entry, content, integer, one, read_text
from orchestrator.shell.replies import Failure

#: More than this is no tensor; `orchestrator.replies` has the same limit.
_MAX_TENSOR_BYTES = 256 * 1024 * 1024


def work_failure(entries: Sequence[Entry], run_id: str) -> Failure | None:
    """Give what is wrong with a run that has ended: its return code alone says too little."""
    log, rc = _log(entries), integer(one(entries, "rc") or "")
    if rc == 0 and (parse_run(log) is not None):
        return None
    code = "RUN_FAILED" if rc == 0 else failure_code(log)
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    said = lines[-1][:200] if lines else "nothing"
    how = "0 and gave no latency" if rc == 0 else str(rc)
    details: dict[str, Json] = {"returncode": rc, "log_tail": log[-4096:]}
    return Failure(code, f"run {run_id}: ax_run_model ended with {how}, saying: {said}", details)


def benchmark_result(entries: Sequence[Entry]) -> dict[str, Json]:
    """Give the result of `benchmark`: the tool's own figures, since it gives no samples."""
    run = parse_run(_log(entries))
    if run is None:
        raise FrameError("the log has no latency in it")
    percentiles: dict[str, Json] = {
        str(percent): value for percent, value in sorted(run.percentiles_ms.items())
    }
    summary: dict[str, Json] = {
        "iterations": run.repeat,
        "min_ms": run.min_ms,
        "max_ms": run.max_ms,
        "mean_ms": run.mean_ms,
        "median_ms": run.median_ms,
        "percentiles_ms": percentiles,
    }
    return {
        "instrument": "ax_run_model",
        "load_ns": None,
        "first_ns": None,
        "warmup_ns": [],
        "samples_ns": [],
        "summary": summary,
        "runtime": _runtime(entries) | {"instrument": "ax_run_model", "summary": summary},
        "before": _sensors(entries, "before"),
        "after": _sensors(entries, "after"),
    }


def infer_result(
    entries: Sequence[Entry], images: int, outputs: Sequence[TensorSpec]
) -> dict[str, Json]:
    """Give the result of `infer`; an image lacks the outputs that the tool has not written."""
    tensors: list[dict[str, Json]] = [{} for _ in range(images)]
    for entry, data in pairwise(entries):
        if entry.key == "output" and data.key == "bytes":
            number, packing, name = (*entry.value.split(" ", 2), "", "")[:3]
            spec = next((spec for spec in outputs if spec.name == name), None)
            if spec is None or not number.isdecimal() or int(number) >= images:
                continue
            raw = _unpacked(data.data) if packing == "gzip" else data.data
            tensors[int(number)][name] = {
                "dtype": spec.dtype,
                "shape": list(spec.shape),
                "data": base64.b64encode(zlib.compress(raw, 1)).decode("ascii"),
            }
    return {"outputs": list(tensors), "runtime": _runtime(entries)}


def _runtime(entries: Sequence[Entry]) -> dict[str, Json]:
    run = parse_run(_log(entries))
    if run is None:
        return {}
    return {
        "engine_version": run.engine_version,
        "compiler_version": run.pulsar2_version,
        "model_type": None if run.cores is None else f"{run.cores} core",
        "vnpu": run.vnpu,
        "tool_version": run.tool_version,
        "cmm_bytes": run.cmm_bytes,
    }


def _sensors(entries: Sequence[Entry], name: str) -> dict[str, Json]:
    return read_sensors(dict(_saved_texts(content(entries, name))))


def _saved_texts(data: bytes) -> Iterator[tuple[str, str]]:
    """Read the texts of a file that has them as a frame would."""
    at = 0
    while at < len(data):
        line, _, _ = data[at:].partition(b"\n")
        at += len(line) + 1
        key, _, name = line.decode("utf-8", "replace").partition(" ")
        if key == "text":
            text, at = read_text(data, at)
            yield name, text.decode("utf-8", "replace").strip()


def _unpacked(data: bytes) -> bytes:
    try:
        raw = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data, _MAX_TENSOR_BYTES + 1)
    except zlib.error as error:
        raise FrameError(f"an output cannot be unpacked: {error}") from error
    return raw[:_MAX_TENSOR_BYTES]


def _log(entries: Sequence[Entry]) -> str:
    return content(entries, "log").decode("utf-8", "replace")
