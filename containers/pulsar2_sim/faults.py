"""Faults on demand: `PULSAR2_SIM_FAULT` makes a build go wrong in one known way."""

import os
import signal
import sys
import time
from enum import Enum

import onnx

from .failure import CodeException, ErrorCode, ToolFailure

VARIABLE = "PULSAR2_SIM_FAULT"


class Fault(Enum):
    """The ways to go wrong; README.md says what each does."""

    NONE = ""
    HANG = "hang"
    NO_FILE = "no-file"
    RC1 = "rc1"
    OOM = "oom"
    MISCOMPILE = "miscompile"
    WRONG_TARGET = "wrong-target"


def chosen() -> Fault:
    """Give the fault that the environment asks for. Raises ToolFailure."""
    value = os.environ.get(VARIABLE, "")
    try:
        return Fault(value)
    except ValueError:
        known = ", ".join(fault.value for fault in Fault if fault.value)
        raise ToolFailure("ValueError", f"{VARIABLE} {value!r} is none of {known}") from None


def strike_while_tiling(fault: Fault) -> None:
    """Go wrong in the compiler, if this fault does so there."""
    if fault is Fault.HANG:
        while True:
            time.sleep(3600)
    if fault is Fault.OOM:
        sys.stderr.write("\rtiling op:  50%|█████     | 34/68 [00:01<00:01, ?it/s]")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    if fault is Fault.RC1:
        limit = "MemLimit(workspace=524288, max_mem_size=11530240)"
        raise CodeException(
            ErrorCode.NPUBackendError,
            RuntimeError(f"TileFailException: {VARIABLE}=rc1: dont support this, {limit}"),
        )


def miscompiled(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Give the graph with one added to each output that holds floats or 32-bit integers."""
    wrong = onnx.ModelProto()
    wrong.CopyFrom(graph)
    for value in wrong.graph.output:
        kind = value.type.tensor_type.elem_type
        if kind not in (onnx.TensorProto.FLOAT, onnx.TensorProto.INT32):
            continue
        right, one = f"{value.name}_right", f"{value.name}_one"
        for node in wrong.graph.node:
            node.input[:] = [right if name == value.name else name for name in node.input]
            node.output[:] = [right if name == value.name else name for name in node.output]
        wrong.graph.initializer.append(onnx.helper.make_tensor(one, kind, [], [1]))
        wrong.graph.node.append(onnx.helper.make_node("Add", [right, one], [value.name]))
    return wrong
