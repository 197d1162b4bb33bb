"""The float model as it is given: loaded for real, checked as the vendor's front end does."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import DTypeLike

from .failure import CodeException, ErrorCode, ToolFailure
from .toolversion import ToolVersion

#: protobuf cannot hold more than this in one message.
LIMIT_BYTES = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output with a shape that has no unknown axis."""

    name: str
    dtype: "np.dtype[np.generic]"
    shape: tuple[int, ...]


def load_model(path: Path) -> onnx.ModelProto:
    """Load a valid ONNX file with its external data. Raises ToolFailure, CodeException."""
    model = load_any(path)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise CodeException(ErrorCode.OnnxOptimizationError, error) from error
    if model.ByteSize() > LIMIT_BYTES:
        raise _too_large()
    return model


def load_any(path: Path) -> onnx.ModelProto:
    """Load a file that is shaped like ONNX, valid or not. Raises ToolFailure, CodeException."""
    if path.is_dir():
        raise ToolFailure("IsADirectoryError", f"[Errno 21] Is a directory: '{path}'")
    if not path.is_file():
        raise ToolFailure("FileNotFoundError", f"[Errno 2] No such file or directory: '{path}'")
    if path.stat().st_size > LIMIT_BYTES:
        raise _too_large()
    try:
        return onnx.load(path)
    except DecodeError as error:
        raise CodeException(ErrorCode.OnnxOptimizationError, error) from error


def set_input_shapes(model: onnx.ModelProto, shapes: str) -> None:
    """Fix the shapes that `a:1x3x224x224;b:1x1` names, in place. Raises ToolFailure."""
    inputs = {value.name: value for value in graph_inputs(model)}
    for entry in filter(None, shapes.split(";")):
        name, _, dims = entry.rpartition(":")
        if name not in inputs or not all(dim.isdecimal() for dim in dims.split("x")):
            raise ToolFailure(
                "ValueError", f"input_shapes {entry!r}: want name:1x3x224x224, inputs {[*inputs]}"
            )
        shape = inputs[name].type.tensor_type.shape
        del shape.dim[:]
        for dim in dims.split("x"):
            shape.dim.add().dim_value = int(dim)
    if shapes:
        del model.graph.value_info[:]
        for value in model.graph.output:
            value.type.tensor_type.ClearField("shape")


def check_operators(model: onnx.ModelProto, version: ToolVersion) -> None:
    """Refuse op types that the vendor's front end does not have. Raises CodeException."""
    for node in model.graph.node:
        if node.op_type not in version.operators:
            raise CodeException(
                ErrorCode.OnnxOptimizationError,
                KeyError(f"dont support {node.op_type} opr in AXOPS/ONNXOPS/CUSTOM_OPS"),
            )


def graph_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Give the inputs that are no initializers."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def tensors(values: list[onnx.ValueInfoProto]) -> list[Tensor]:
    """Give graph inputs or outputs as values. Raises CodeException on a dynamic shape."""
    found = []
    for value in values:
        kind = value.type.tensor_type
        dims = [dim.dim_value or dim.dim_param or "?" for dim in kind.shape.dim]
        shape = tuple(dim.dim_value for dim in kind.shape.dim)
        if not kind.HasField("shape") or not all(size > 0 for size in shape):
            raise CodeException(
                ErrorCode.OnnxOptimizationError,
                AssertionError(f"tensor [{value.name}] has dynamic shape {dims}, set input_shapes"),
            )
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
        found.append(Tensor(value.name, dtype, shape))
    return found


def op_counts(model: onnx.ModelProto) -> list[tuple[str, int]]:
    """Give the op types in the order of their names, each with its count; constants left out."""
    counts = Counter(node.op_type for node in model.graph.node if node.op_type != "Constant")
    return sorted(counts.items())


def value_info(name: str, dtype: DTypeLike, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    """Give the description of a tensor."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return onnx.helper.make_tensor_value_info(name, kind, shape)


def shapes_of(model: onnx.ModelProto) -> Mapping[str, tuple[int, ...]]:
    """Give the shape of every tensor that shape inference has found one for."""
    graph = model.graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        shapes[value.name] = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    return shapes


def _too_large() -> CodeException:
    return CodeException(
        ErrorCode.QuantError, DecodeError("Error parsing message with type 'onnx.ModelProto'")
    )
