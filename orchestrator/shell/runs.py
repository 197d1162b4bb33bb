"""What a run of `ax_run_model` left on a board → the results of `benchmark` and `infer`. Pure."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from board_agent.protocol import FrameError
from orchestrator.domain import Json, TensorSpec
from orchestrator.shell.ax_run_model import (
    failure_code,
    last_words,
    parse_run,
    runtime_of,
    summary_of,
)
from orchestrator.shell.facts import read_sensors
from orchestrator.shell.frame import Entry, content, integer, one, read_text
from orchestrator.shell.replies import Failure

#: More than this is no tensor; `orchestrator.replies` has the same limit.
_MAX_TENSOR_BYTES = 256 * 1024 * 1024
#: What is kept of what the tool printed.
_MAX_TEXT = 64 * 1024


def work_failure(entries: Sequence[Entry], run_id: str, kind: str) -> Failure | None:
    """Give what is wrong with a run that has ended: its return code alone says too little.

    A benchmark has figures, an inference tensors; some tools print no figures for the latter.
    """
    log, rc = _log(entries), integer(one(entries, "rc") or "")
    if kind == "benchmark":
        gave, lacks = parse_run(log) is not None, "no latency"
    else:
        gave, lacks = any(entry.key == "output" for entry in entries), "no output"
    if rc == 0 and gave:
        return None
    code = "RUN_FAILED" if rc == 0 else failure_code(log)
    how = f"0 and gave {lacks}" if rc == 0 else str(rc)
    details: dict[str, Json] = {"returncode": rc, "log_tail": log[-4096:]}
    said = last_words(log)
    return Failure(code, f"run {run_id}: ax_run_model ended with {how}, saying: {said}", details)


def benchmark_result(entries: Sequence[Entry]) -> dict[str, Json]:
    """Give the result of `benchmark`: the tool's own figures, since it gives no samples."""
    text = _log(entries)
    run = parse_run(text)
    if run is None:
        raise FrameError("the log has no latency in it")
    summary = summary_of(run)
    return {
        "instrument": "ax_run_model",
        "load_ns": None,
        "first_ns": None,
        "warmup_ns": [],
        "samples_ns": [],
        "summary": summary,
        "runtime": runtime_of(run)
        | {"instrument": "ax_run_model", "summary": summary, "text": text[-_MAX_TEXT:]},
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
            spec = _output(outputs, name)
            if spec is None or not number.isdecimal() or int(number) >= images:
                continue
            raw = _unpacked(data.data) if packing == "gzip" else data.data
            tensors[int(number)][spec.name] = _tensor(spec, raw)
    run = parse_run(_log(entries))
    return {"outputs": list(tensors), "runtime": {} if run is None else runtime_of(run)}


def _output(outputs: Sequence[TensorSpec], name: str) -> TensorSpec | None:
    """Find an output by the name of its file: old tools number them unless they are told."""
    named = next((spec for spec in outputs if spec.name == name), None)
    if named is None and name.isdecimal() and int(name) < len(outputs):
        return outputs[int(name)]
    return named


def _tensor(spec: TensorSpec, raw: bytes) -> dict[str, Json]:
    """Write a tensor as the Python agent does, which has no bfloat16 either."""
    dtype = spec.dtype
    if dtype == "bfloat16":
        halves = np.frombuffer(raw[: len(raw) // 2 * 2], "<u2").astype("<u4")
        raw, dtype = (halves << 16).tobytes(), "float32"
    data = base64.b64encode(zlib.compress(raw, 1)).decode("ascii")
    return {"dtype": dtype, "shape": list(spec.shape), "data": data}


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
