"""Faults on demand: `PULSAR2_SIM_FAULT` makes a build go wrong in one known way."""

import os
import signal
import sys
import time
from collections.abc import Callable
from enum import Enum

import onnx
from google.protobuf.message import DecodeError

from .failure import CodeException, ErrorCode, ToolFailure

VARIABLE = "PULSAR2_SIM_FAULT"
SLOW_VARIABLE = "PULSAR2_SIM_SLOW_S"
_SLOW_S = 5.0
_LIMIT = "mem_limit: MemLimit(workspace=524288, max_mem_size=11530240)"


class Fault(Enum):
    """The ways to go wrong; README.md says what each does."""

    NONE = ""
    # at parse
    UNSUPPORTED_OP = "unsupported-op"
    OP_ATTRIBUTE = "op-attribute"
    OP_GET_FAILED = "op-get-failed"
    REWRITE_DIFFERS = "rewrite-differs"
    FRONTEND = "frontend"
    DYNAMIC_RESHAPE = "dynamic-reshape"
    CONFIG_KEY = "config-key"
    # while quantizing
    QUANT_EXECUTE = "quant-execute"
    QUANT_OP = "quant-op"
    QUANT_TOO_LARGE = "quant-too-large"
    QUANT_DTYPE = "quant-dtype"
    QUANT_SAMPLES = "quant-samples"
    QUANT_INDEX = "quant-index"
    # while compiling
    TILE = "tile"
    RC1 = "rc1"
    OP_BUILD = "op-build"
    RESIZE_TOO_LARGE = "resize-too-large"
    OCM = "ocm"
    MISCOMPILE = "miscompile"
    LICENCE = "licence"
    # of the process
    HANG = "hang"
    SLOW = "slow"
    OOM = "oom"
    ABORT = "abort"
    STALE = "stale"
    # of the result
    NO_FILE = "no-file"
    EMPTY_FILE = "empty-file"
    NO_LAST_LINE = "no-last-line"
    WRONG_TARGET = "wrong-target"


class TileFailException(Exception):  # noqa: N818 - the vendor's name
    """An op or its shape does not fit the chip."""

    module = "yasched.exceptions"


class OpBuildException(Exception):  # noqa: N818 - the vendor's name
    """The back end has no such op."""

    module = "yasched.exceptions"


def chosen() -> Fault:
    """Give the fault that the environment asks for. Raises ToolFailure."""
    value = os.environ.get(VARIABLE, "")
    try:
        return Fault(value)
    except ValueError:
        known = ", ".join(fault.value for fault in Fault if fault.value)
        raise ToolFailure("ValueError", f"{VARIABLE} {value!r} is none of {known}") from None


def strike(fault: Fault, when: str) -> None:
    """Go wrong here, if this fault does so: at `parse`, `quantize`, `tile` or `assemble`.

    Raises:
        CodeException, ToolFailure: as the fault has it.
    """
    _strike_process(fault, when)
    if fault in _RAISED and _RAISED[fault][0] == when:
        error = _RAISED[fault][1]()
        raise error


def _strike_process(fault: Fault, when: str) -> None:
    """End, stop or delay the process."""
    if fault is Fault.SLOW and when in {"quantize", "tile"}:
        time.sleep(_slow_s() / 2)
    if when != "tile":
        return
    if fault is Fault.HANG:
        while True:
            time.sleep(3600)
    if fault is Fault.OOM:
        sys.stderr.write("\rtiling op:  50%|█████     | 34/68 [00:01<00:01, ?it/s]")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    if fault is Fault.ABORT:
        sys.stderr.write(
            "terminate called after throwing an instance of 'std::runtime_error'\n"
            "  what():  Negative axis size cannot be inferred. Shape mismatch.\n"
        )
        sys.stderr.flush()
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        os.abort()


def _slow_s() -> float:
    value = os.environ.get(SLOW_VARIABLE, _SLOW_S)
    try:
        return float(value)
    except ValueError:
        message = f"{SLOW_VARIABLE} {value!r} is no number of seconds"
        raise ToolFailure("ValueError", message) from None


def _code(code: ErrorCode, cause: Exception, before: Exception | None = None) -> CodeException:
    cause.__cause__ = before
    return CodeException(code, cause)


def _quant(cause: Exception, before: Exception | None = None) -> CodeException:
    return _code(ErrorCode.QuantError, cause, before)


def _parse(cause: Exception) -> CodeException:
    return _code(ErrorCode.OnnxOptimizationError, cause)


def _back_end(cause: Exception, before: Exception | None = None) -> CodeException:
    return _code(ErrorCode.NPUBackendError, cause, before)


def _tile() -> CodeException:
    text = "AxQuantizedSin, AxQuantizedSin dont support"
    tiling = TileFailException(f"{text}\n    op: /Sin\n    {_LIMIT}")
    return _back_end(tiling, AssertionError("AxQuantizedSin dont support"))


#: When each fault strikes, and what is raised; the texts are those of the vendor's known failures.
_RAISED: dict[Fault, tuple[str, Callable[[], Exception]]] = {
    Fault.UNSUPPORTED_OP: (
        "parse",
        lambda: _parse(KeyError("dont support IsNaN opr in AXOPS/ONNXOPS/CUSTOM_OPS")),
    ),
    Fault.OP_ATTRIBUTE: ("parse", lambda: _parse(KeyError("op Mod attr fmod does not exist"))),
    Fault.OP_GET_FAILED: (
        "parse",
        lambda: _parse(RuntimeError("op name: /head/Mod, Mod, {'fmod': 0} get opr failed")),
    ),
    Fault.REWRITE_DIFFERS: (
        "parse",
        lambda: _parse(AssertionError("check onnx parser e2e failed, ['output0']")),
    ),
    Fault.FRONTEND: ("parse", lambda: _code(ErrorCode.FrontendError, KeyError("node_LSTM"))),
    Fault.DYNAMIC_RESHAPE: ("parse", lambda: ToolFailure("RuntimeError", "shapefn failed")),
    Fault.CONFIG_KEY: (
        "parse",
        lambda: ToolFailure(
            "google.protobuf.json_format.ParseError",
            'Message type "pulsar2.build.InputProcessor" has no field named "dst_format"',
        ),
    ),
    Fault.QUANT_EXECUTE: (
        "quantize",
        lambda: _quant(
            RuntimeError("Op Execution Error"),
            NotImplementedError(
                "Graph op: /SequenceEmpty(SequenceEmpty) has no backend implementation on target "
                "platform"
            ),
        ),
    ),
    Fault.QUANT_OP: (
        "quantize",
        lambda: _quant(NotImplementedError("Quant doesn't support Reciprocal operation")),
    ),
    Fault.QUANT_TOO_LARGE: (
        "quantize",
        lambda: _quant(DecodeError("Error parsing message with type 'onnx.ModelProto'")),
    ),
    Fault.QUANT_DTYPE: (
        "quantize",
        lambda: _quant(
            AssertionError(
                "Numpy File(quant/dataset/input_ids/0000.npy) has dtype(float32), however "
                "corresponding type of inputs(input_ids) is <class 'numpy.int64'>"
            )
        ),
    ),
    Fault.QUANT_SAMPLES: (
        "quantize",
        lambda: _quant(AssertionError("inputs num 52 and 54 not match")),
    ),
    Fault.QUANT_INDEX: ("quantize", lambda: _quant(IndexError("list index out of range"))),
    Fault.TILE: ("tile", _tile),
    Fault.RC1: (
        "tile",
        lambda: _back_end(RuntimeError(f"TileFailException: {VARIABLE}=rc1: dont support this")),
    ),
    Fault.OP_BUILD: (
        "tile",
        lambda: _back_end(OpBuildException("/act/Erf: dont support lut_float opr in AXOPS")),
    ),
    Fault.RESIZE_TOO_LARGE: (
        "tile",
        lambda: _back_end(OverflowError("integer 84599 does not fit uint16_t")),
    ),
    Fault.OCM: ("tile", lambda: _back_end(AssertionError("ocm alloc with size 12345678 failed"))),
    Fault.LICENCE: ("assemble", lambda: ToolFailure("RuntimeError", licence_text())),
    Fault.STALE: ("tile", lambda: ToolFailure("RuntimeError", "ended before the axmodel")),
}


def licence_text() -> str:
    """Give what the tool says without its licence."""
    return "Sentinel key not found (H0007)"


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
