"""`const_processors`, `op_processors` and `quant_op_processors`: other constants and attributes."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import DTypeLike, NDArray

from .config import messages, numbers, text
from .failure import CodeException, ErrorCode, ToolFailure, failing_as
from .schema import Json

Array = NDArray[np.generic]

_SHAPED = ("Flatten", "Reshape")


def patch_constants(model: onnx.ModelProto, config: Mapping[str, Json]) -> None:
    """Put the values of `const_processors` into constants, in place. Raises ToolFailure."""
    entries = messages(config, "const_processors")
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            tensors[node.output[0]] = node.attribute[0].t
    for entry in entries:
        name = text(entry, "name")
        if name not in tensors:
            raise _not_there("const_processors", name, tensors)
        tensor = tensors[name]
        before = onnx.numpy_helper.to_array(tensor)
        values = _values(entry, name, before.dtype)
        if values.size != before.size:
            raise ToolFailure(
                "ValueError",
                f"const_processors [{name}] gives {values.size} value(s), it takes "
                f"{before.size}: {before.dtype.name} {before.shape}",
            )
        array = values.reshape(before.shape).astype(before.dtype)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))


def patch_operators(
    model: onnx.ModelProto, config: Mapping[str, Json], field: str
) -> onnx.ModelProto:
    """Give the model with the attributes of `op_processors` or `quant_op_processors`, shapes anew.

    The given model may be changed. Raises ToolFailure, CodeException.
    """
    entries = messages(config, field)
    nodes = {node.name: node for node in model.graph.node if node.name}
    for entry in entries:
        name, attributes = text(entry, "op_name"), entry.get("attrs")
        if name not in nodes:
            raise _not_there(field, name, nodes)
        for attribute, value in (attributes if isinstance(attributes, dict) else {}).items():
            _patch(model, nodes[name], attribute, value)
    if not entries:
        return model
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    with failing_as(ErrorCode.OnnxOptimizationError):
        return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def _values(entry: Mapping[str, Json], name: str, dtype: DTypeLike) -> Array:
    path = Path(text(entry, "data_path"))
    if not text(entry, "data_path"):
        return np.array(numbers(entry, "data"), np.float64)
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise ToolFailure(
            "NotImplementedError",
            f"const_processors [{name}]: data_path {path} is none of {', '.join(_READERS)}",
        )
    try:
        return reader(path, dtype)
    except (OSError, ValueError) as error:
        raise ToolFailure(type(error).__name__, f"{path}: {error}") from error


def _read_bin(path: Path, dtype: DTypeLike) -> Array:
    array: Array = np.fromfile(path, np.dtype(dtype).newbyteorder("<"))
    return array


def _read_npy(path: Path, _: DTypeLike) -> Array:
    array: Array = np.load(path, allow_pickle=False)
    return array


def _read_txt(path: Path, _: DTypeLike) -> Array:
    return np.loadtxt(path, np.float64)


_READERS: Mapping[str, Callable[[Path, DTypeLike], Array]] = {
    ".bin": _read_bin,
    ".npy": _read_npy,
    ".txt": _read_txt,
}


def _patch(model: onnx.ModelProto, node: onnx.NodeProto, name: str, value: Json) -> None:
    if name == "shape" and node.op_type in _SHAPED:
        _reshape(model, node, value)
        return
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    known = onnx.defs.get_schema(node.op_type, opset).attributes
    if name not in known:
        raise CodeException(
            ErrorCode.OnnxOptimizationError,
            KeyError(f"op {node.op_type} attr {name} does not exist"),
        )
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    with failing_as(ErrorCode.OnnxOptimizationError):
        converted = _CONVERTERS[known[name].type.name](value)
        new = onnx.helper.make_attribute(name, converted)
    del node.attribute[:]
    node.attribute.extend([*kept, new])


def _reshape(model: onnx.ModelProto, node: onnx.NodeProto, value: Json) -> None:
    """Give a Flatten or Reshape, both of which are the vendor's AxReshape, another shape."""
    shape = f"{node.name}_patched_shape"
    array = np.array(_integers(value), np.int64)
    model.graph.initializer.append(onnx.numpy_helper.from_array(array, shape))
    node.op_type = "Reshape"
    node.input[:] = [node.input[0], shape]
    del node.attribute[:]


def _integer(value: Json) -> int:
    """Give a whole number: a config's struct knows floats only."""
    if isinstance(value, int | float) and value == int(value):
        return int(value)
    raise ValueError(f"{value!r} is no integer")


def _integers(value: Json) -> list[int]:
    return [_integer(item) for item in value] if isinstance(value, list) else [_integer(value)]


def _float(value: Json) -> float:
    if isinstance(value, int | float):
        return float(value)
    raise ValueError(f"{value!r} is no number")


def _floats(value: Json) -> list[float]:
    return [_float(item) for item in value] if isinstance(value, list) else [_float(value)]


_CONVERTERS: Mapping[str, Callable[[Json], int | float | str | list[int] | list[float]]] = {
    "INT": _integer,
    "INTS": _integers,
    "FLOAT": _float,
    "FLOATS": _floats,
    "STRING": str,
}


def _not_there(field: str, name: str, known: Iterable[str]) -> ToolFailure:
    near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5)
    hint = f", near are {', '.join(near)}" if near else ""
    return ToolFailure("KeyError", f"'[{name}] of {field} is not in the model{hint}'")
