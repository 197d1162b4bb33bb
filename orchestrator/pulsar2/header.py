"""Read what an axmodel says of itself.

An axmodel is an ONNX file with nodes of type `neu mode`; chip and NPU mode stand in its metadata
as base64 of a small protobuf message (field numbers verified on files of Pulsar2 1.9 to 3.4).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.domain import AxmodelHeader, Target, TensorSpec
from orchestrator.errors import CompileError

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

#: Numbers that are certain; the order of the others is not published.
_HARDWARE = {0: "AX650", 1: "AX620E", 2: "M76H", 4: "M57"}
#: What begins the name of a chip whose number is not known.
UNKNOWN_HARDWARE = "hardware-"
_NPU_MODES = ("NPU1", "NPU2", "NPU3", "NPU4", "NPU5")
_LAYOUTS = {1: "NHWC", 2: "NCHW"}
#: The commit that the stand-in signs with; no real toolchain has it.
SIMULATED_COMMIT = "fa4e0000"

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_header(path: Path) -> AxmodelHeader:
    """Read the header of an axmodel. Raises CompileError when the file is none."""
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    model = ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise CompileError(f"{path}: not an axmodel: no ONNX protobuf") from error
    subgraphs = tuple(node.name for node in model.graph.node if node.op_type == "neu mode")
    extra = next((p.value for p in model.metadata_props if p.key == "extra_data"), None)
    if not subgraphs or extra is None:
        raise CompileError(
            f"{path}: not an axmodel: it has {len(subgraphs)} NPU subgraphs and "
            f"{'no' if extra is None else 'an'} extra_data",
            "an ONNX file is compiled first: orch build",
        )
    try:
        target, layouts = _read_extra(base64.b64decode(extra, validate=True))
    except (ValueError, IndexError, binascii.Error) as error:
        raise CompileError(f"{path}: its extra_data is damaged: {error}") from error
    try:
        return _header(model, target, layouts, subgraphs)
    except KeyError as error:
        raise CompileError(f"{path}: a tensor of it has the unknown type {error}") from error


def _header(
    model: ModelProto, target: Target, layouts: dict[str, str], subgraphs: tuple[str, ...]
) -> AxmodelHeader:
    version = re.search(r"Pulsar2 Version:\s*(\S+)", model.doc_string)
    commit = re.search(r"Pulsar2 Commit:\s*(\S+)", model.doc_string)
    found = commit.group(1) if commit else ""
    return AxmodelHeader(
        target=target,
        pulsar2_version=version.group(1) if version else "",
        pulsar2_commit=found,
        inputs=tuple(_tensor(value) for value in model.graph.input),
        outputs=tuple(_tensor(value) for value in model.graph.output),
        layouts=layouts,
        subgraphs=subgraphs,
        producer=model.producer_name,
        ir_version=model.ir_version,
        opset=max((entry.version for entry in model.opset_import), default=0),
        doc_string=model.doc_string,
        simulated=found == SIMULATED_COMMIT,
    )


def _tensor(value: ValueInfoProto) -> TensorSpec:
    from onnx import helper

    tensor = value.type.tensor_type
    dtype = str(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    return TensorSpec(value.name, dtype, tuple(axis.dim_value for axis in tensor.shape.dim))


def _read_extra(data: bytes) -> tuple[Target, dict[str, str]]:
    hardware = npu_mode = 0
    layouts: dict[str, str] = {}
    for field, value in _fields(data):
        if field == 1 and isinstance(value, bytes):
            tensor = dict(_fields(value))
            name, layout = tensor.get(1, b""), tensor.get(2)
            if isinstance(name, bytes) and isinstance(layout, int) and layout in _LAYOUTS:
                layouts[name.decode()] = _LAYOUTS[layout]
        elif field == 4 and isinstance(value, bytes):  # noqa: PLR2004 - build_info
            mode = dict(_fields(value)).get(3, 0)
            npu_mode = mode if isinstance(mode, int) else 0
        elif field == 5 and isinstance(value, int):  # noqa: PLR2004 - hardware_type
            hardware = value
    chip = _HARDWARE.get(hardware, f"{UNKNOWN_HARDWARE}{hardware}")
    return Target(chip, _NPU_MODES[npu_mode]), layouts


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Walk one protobuf message (https://protobuf.dev/programming-guides/encoding/)."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == _VARINT:
            number, at = _varint(data, at)
            yield tag >> 3, number
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in {_FIXED32, _FIXED64}:
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind} at byte {at}")
        if at + size > len(data):
            raise ValueError(f"field {tag >> 3} ends behind the data")
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last byte has no continuation bit
            return value, at
        shift += 7
