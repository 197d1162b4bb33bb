"""Reads the axmodels that orch's stand-in for Pulsar2 writes, and no others.

An axmodel is ONNX protobuf: one `neu mode` node per NPU subgraph, its data in UINT8 initializers.
In a simulated one the initializer `npu_params` is a whole INT8 ONNX model, which runs on a CPU.
"""

from __future__ import annotations

import base64
import binascii
import mmap
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from ._node import NodeArg

#: The commit that orch's stand-in for Pulsar2 gives; no genuine build has it.
SIMULATED_COMMIT = "fa4e0000"

#: A fault for tests: names the tensor of the network that this board computes wrongly.
ODD_TENSOR = "etc/orch-odd-tensor"

_DOC_STRING = re.compile(
    r"Pulsar2 Version:\s*(\S+)\nPulsar2 Commit:\s*(\S+)\n.*SIMULATED", re.DOTALL
)
_MARKER_LINE = re.compile(r"^(engine_version|newest_pulsar2|axengine): (\S+)$", re.MULTILINE)
_BUILD_INFO, _HARDWARE_TYPE = 4, 5  # fields of `extra_data`
_NPU_MODE = 3  # field of its build info: NPU1 0 or absent, NPU2 1, NPU3 2
_NPU_MODES = 3


class LoadError(Exception):
    """This runtime cannot run the file; the real one says no more than that either."""


def board_root() -> Path:
    """Where this board's files lie: a simulated board has them below ORCH_SYSROOT."""
    return Path(os.environ.get("ORCH_SYSROOT", "/"))


def runtime_facts() -> dict[str, str]:
    """`engine_version`, `newest_pulsar2` and `axengine` (whose quirks) of the simulated runtime."""
    marker = board_root() / "etc/orch-simulated-board"
    text = marker.read_text(encoding="ascii") if marker.is_file() else ""
    known = {"engine_version": "0.0.0", "newest_pulsar2": "7.0", "axengine": "0.1.3.rc3"}
    return known | dict(_MARKER_LINE.findall(text))


@dataclass(frozen=True, slots=True)
class SimulatedModel:
    """What an axmodel of the stand-in holds; `npu_mode` is 0, 1 or 2 for NPU1, NPU2, NPU3."""

    inputs: list[NodeArg]
    outputs: list[NodeArg]
    npu_mode: int
    pulsar2_version: str
    pulsar2_commit: str
    network: bytes

    def open(self) -> Any:
        """An onnxruntime session on one thread. Raises LoadError."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Without VNNI, x64 kernels for U8 by S8 sum pairs in 16 bits, which overflow.
        options.add_session_config_entry("session.x64quantprecision", "1")
        # A product of 16-bit activations with S8 weights would round its activations to 8 bits.
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
        try:
            session = onnxruntime.InferenceSession(
                _as_computed_here(self.network), options, providers=["CPUExecutionProvider"]
            )
        except (
            ort_errors.Fail,
            ort_errors.InvalidArgument,
            ort_errors.InvalidGraph,
            ort_errors.InvalidProtobuf,
            ort_errors.NotImplemented,
            ort_errors.RuntimeException,
        ) as error:
            raise LoadError("onnxruntime does not take the network in npu_params") from error
        for mine, its in (
            (self.inputs, session.get_inputs()),
            (self.outputs, session.get_outputs()),
        ):
            if {node.name for node in mine} != {node.name for node in its}:
                raise LoadError("the network in npu_params has other inputs or outputs")
        return session


def _as_computed_here(network: bytes) -> bytes:
    """The network with this board's fault: one tensor and all behind it come out otherwise."""
    told = board_root() / ODD_TENSOR
    if not told.is_file():
        return network
    odd = told.read_text(encoding="ascii").strip()
    model = onnx.load_model_from_string(network)
    nodes = list(model.graph.node)
    at = next(at for at, node in enumerate(nodes) if odd in node.output)
    nodes[at].output[list(nodes[at].output).index(odd)] = f"{odd}_before"
    nodes.insert(at + 1, onnx.helper.make_node("Neg", [f"{odd}_before"], [odd]))
    made = onnx.helper.make_graph(nodes, "odd", [], [])
    del model.graph.node[:]
    model.graph.node.extend(made.node)
    changed: bytes = model.SerializeToString()
    return changed


def read_model(path: Path) -> SimulatedModel:
    """Read a simulated axmodel. Raises LoadError, FileNotFoundError, ValueError if it is empty."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        blob = bytes(data)
    try:
        model = onnx.load_model_from_string(blob)
    except DecodeError as error:
        raise LoadError("not an axmodel") from error
    told = _DOC_STRING.search(model.doc_string)
    if told is None or told.group(2) != SIMULATED_COMMIT:
        raise LoadError("a genuine axmodel, or none at all: nothing that a simulation can run")
    if _newer(told.group(1), runtime_facts()["newest_pulsar2"]):
        raise LoadError(f"made by Pulsar2 {told.group(1)}, newer than this runtime")
    network = [i.raw_data for i in model.graph.initializer if i.name == "npu_params"]
    if not network or not any(node.op_type == "neu mode" for node in model.graph.node):
        raise LoadError("no NPU subgraph in it")
    return SimulatedModel(
        inputs=[_node_arg(value) for value in model.graph.input],
        outputs=[_node_arg(value) for value in model.graph.output],
        npu_mode=_npu_mode({entry.key: entry.value for entry in model.metadata_props}),
        pulsar2_version=told.group(1),
        pulsar2_commit=told.group(2),
        network=network[0],
    )


def _newer(version: str, limit: str) -> bool:
    """Compare `major.minor`; what follows (`-patch2`, `-dirty`) does not count."""
    mine, its = (re.findall(r"\d+", text)[:2] for text in (version, limit))
    return [int(part) for part in mine] > [int(part) for part in its]


def _node_arg(value: Any) -> NodeArg:
    tensor = value.type.tensor_type
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    # What has 64 bits in ONNX has 32 on the NPU, and a bool is a byte.
    dtype = {"int64": "int32", "bool": "uint8"}.get(dtype, dtype)
    shape = [int(axis.dim_value) for axis in tensor.shape.dim]
    return NodeArg(value.name, np.dtype(dtype), shape)


def _npu_mode(metadata: dict[str, str]) -> int:
    try:
        extra = dict(_fields(base64.b64decode(metadata.get("extra_data", ""), validate=True)))
        build_info = extra.get(_BUILD_INFO, b"")
        mode = dict(_fields(build_info)).get(_NPU_MODE, 0) if isinstance(build_info, bytes) else -1
    except (binascii.Error, IndexError) as error:
        raise LoadError("its extra_data is damaged") from error
    if extra.get(_HARDWARE_TYPE, 0) != 0:
        raise LoadError(f"made for hardware type {extra[_HARDWARE_TYPE]!r}, this is an AX650")
    if not isinstance(mode, int) or not 0 <= mode < _NPU_MODES:
        raise LoadError(f"npu_mode {mode!r} is not one of an AX650")
    return mode


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The (number, value) pairs of a protobuf message; only the wire types that occur here."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        value, at = _varint(data, at)
        if key & 7 == 0:
            yield key >> 3, value
        elif key & 7 == 2:  # noqa: PLR2004 - length-delimited, protobuf encoding guide
            if at + value > len(data):
                raise IndexError("cut")
            yield key >> 3, data[at : at + value]
            at += value
        else:
            raise IndexError("wire type")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 - no continuation bit, protobuf encoding guide
            return value, at
