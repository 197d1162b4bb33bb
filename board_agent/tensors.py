"""Arrays in and out of a session. Needs numpy, so only a worker that has it imports this."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from board_agent.errors import AgentError
from board_agent.runtime import Node


def describe(nodes: Sequence[Node]) -> list[dict[str, Any]]:
    """Names, dtypes and shapes as the protocol writes them."""
    return [
        {
            "name": str(node.name),
            "dtype": _dtype(node).name,
            "shape": [int(axis) for axis in node.shape],
        }
        for node in nodes
    ]


def check_inputs(model: str, expected: list[dict[str, Any]], nodes: Sequence[Node]) -> None:
    """Raise INPUT_MISMATCH where the sidecar and the runtime differ."""
    found = {spec["name"]: spec for spec in describe(nodes)}
    promised = {spec["name"]: spec for spec in expected}
    if set(found) != set(promised):
        message = f"{model}: inputs are {sorted(found)}, the sidecar has {sorted(promised)}"
        raise AgentError("INPUT_MISMATCH", message)
    for name, spec in promised.items():
        has, wants = ((one["dtype"], list(one["shape"])) for one in (found[name], spec))
        if has != wants:
            message = f"{model}: input {name} is {has[0]} {has[1]}"
            raise AgentError("INPUT_MISMATCH", f"{message}, the sidecar has {wants[0]} {wants[1]}")


def zeros(nodes: Sequence[Node]) -> dict[str, NDArray[Any]]:
    """A feed that is right in all but its values."""
    return {node.name: np.zeros(tuple(node.shape), _dtype(node)) for node in nodes}


def read_feed(model: str, nodes: Sequence[Node], path: str) -> dict[str, NDArray[Any]]:
    """The feed of a model with one input, from its raw bytes (C order, little-endian)."""
    if len(nodes) != 1:
        message = f"{model}: has {len(nodes)} inputs, the request gives one"
        raise AgentError("INPUT_MISMATCH", message)
    node = nodes[0]
    data = Path(path).read_bytes()
    shape, dtype = tuple(int(axis) for axis in node.shape), _dtype(node)
    expected = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if len(data) != expected:
        message = f"{model}: input {node.name} is {dtype.name} {list(shape)}, {expected} bytes"
        raise AgentError("INPUT_MISMATCH", f"{message}; the request gives {len(data)} bytes")
    return contiguous({node.name: np.frombuffer(data, dtype).reshape(shape)})


def contiguous(feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The feed in C order: the runtime copies memory as it lies."""
    return {name: np.ascontiguousarray(array) for name, array in feed.items()}


def copies(outputs: Sequence[object]) -> list[NDArray[Any]]:
    """Outputs that outlive the next run: old runtimes hand out views of a buffer they use again."""
    return [np.array(output) for output in outputs]


def check_numbers(model: str, outputs: Sequence[object], nodes: Sequence[Node]) -> None:
    """Raise RUN_FAILED where an output has NaN: no time of such a run is worth anything."""
    for node, output in zip(nodes, outputs):
        values = np.asarray(output)
        wrong = 0 if values.dtype.kind in "iub" else int(np.count_nonzero(np.isnan(values)))
        if wrong:
            message = f"{model}: output {node.name}: {wrong} of {values.size} values are NaN"
            raise AgentError("RUN_FAILED", message, {"output": node.name, "nan_values": wrong})


def encode(outputs: Sequence[object], nodes: Sequence[Node]) -> dict[str, Any]:
    """Outputs by name."""
    if len(outputs) != len(nodes):
        message = f"the runtime gave {len(outputs)} outputs, the model has {len(nodes)}"
        raise AgentError("RUN_FAILED", message)
    return {node.name: _encode(out) for node, out in zip(nodes, copies(outputs))}


def _encode(array: NDArray[Any]) -> dict[str, Any]:
    if array.dtype.name == "bfloat16":  # nobody else's numpy knows it
        array = array.astype(np.float32)
    data = zlib.compress(array.tobytes())  # C order; every AX650 is little-endian
    return {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "data": base64.b64encode(data).decode("ascii"),
    }


def _dtype(node: Node) -> np.dtype[Any]:
    return np.dtype(node.dtype)  # type: ignore[call-overload, no-any-return]
