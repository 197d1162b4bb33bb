"""`compiler.npu_perf`: each op of the model with its macs and cycles.

It is no simulation of an NPU: cycles are macs at a fixed rate, as `max_cycle` is, and the ops run
one after the other, so that the end of the last one is `max_cycle`.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from .macs import cycles, macs_by_node
from .schema import Json


@dataclass(frozen=True, slots=True)
class Op:
    """One op: `start` and `end` in cycles."""

    name: str
    op_type: str
    macs: int
    start: int
    end: int


def wants_profile(config: Mapping[str, Json]) -> bool:
    """Say whether a checked config asks for the profile."""
    compiler = config.get("compiler")
    return isinstance(compiler, dict) and bool(compiler.get("npu_perf"))


def profile(model: onnx.ModelProto, npu_mode: str) -> list[Op]:
    """Give the ops in their order."""
    ops: list[Op] = []
    done = start = 0
    for node, count in macs_by_node(model):
        done += count
        end = cycles(done, npu_mode)
        ops.append(Op(str(node.name), str(node.op_type), count, start, end))
        start = end
    return ops


def write_profile(ops: Sequence[Op], folder: Path) -> None:
    """Write trace.json (Chrome's trace format, a cycle as a microsecond) and op_profile.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    events = [
        {
            "name": op.name,
            "cat": op.op_type,
            "ph": "X",
            "pid": 0,
            "tid": 0,
            "ts": op.start,
            "dur": op.end - op.start,
            "args": {"macs": op.macs, "simulated": True},
        }
        for op in ops
    ]
    trace = {"otherData": {"simulated": True, "unit": "cycle"}, "traceEvents": events}
    (folder / "trace.json").write_text(json.dumps(trace, indent=1) + "\n", encoding="utf-8")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("op", "type", "macs", "cycles", "start_cycle", "simulated"))
    writer.writerows(
        (op.name, op.op_type, op.macs, op.end - op.start, op.start, True) for op in ops
    )
    (folder / "op_profile.csv").write_text(text.getvalue(), encoding="utf-8")
