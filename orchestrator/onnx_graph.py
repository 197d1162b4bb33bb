"""Small questions to an ONNX graph."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

#: Inference on this host uses all its cores, and says nothing but errors.
_ORT_ERRORS_ONLY = 3
#: What decides while it runs which nodes do.
_BRANCHES = frozenset(("If", "Loop", "Scan", "SequenceMap"))


def count_ops(model: ModelProto) -> dict[str, int]:
    """Count the nodes of a graph by operator, sorted by name."""
    return dict(sorted(Counter(node.op_type for node in model.graph.node).items()))


def undecided(model: ModelProto) -> str:
    """Tell what a graph decides only when it runs: its order, or a size; "" when it is nothing.

    Sizes behind operators that are not plain ONNX are not known, and taken for fixed.
    """
    import onnx

    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    fixed = {one.name for one in (*graph.value_info, *graph.output) if _is_fixed(one)}
    plain = all(node.domain in {"", "ai.onnx"} for node in graph.node)
    for node in graph.node:
        if node.op_type in _BRANCHES:
            return f"{node.op_type} {node.name} decides which nodes run"
        open_ones = [name for name in node.output if name and name not in fixed]
        if plain and open_ones:
            return f"{node.op_type} {node.name} decides the size of {open_ones[0]}"
    return ""


def _is_fixed(value: ValueInfoProto) -> bool:
    tensor = value.type.tensor_type
    return tensor.HasField("shape") and all(axis.HasField("dim_value") for axis in tensor.shape.dim)


def external_files(path: Path) -> list[Path]:
    """Give the files beside an ONNX file that hold its large tensors, without reading them.

    Raises:
        ConfigError: it is no ONNX file, or names a file outside its folder.
    """
    import onnx
    from google.protobuf.message import DecodeError
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    try:
        model = onnx.load(path, format="protobuf", load_external_data=False)
    except (DecodeError, OSError) as error:
        raise ConfigError(f"{path}: cannot be read as ONNX: {error}") from error
    tensors = [tensor for tensor in model.graph.initializer if uses_external_data(tensor)]
    names = sorted({str(ExternalDataInfo(tensor).location) for tensor in tensors})
    # Links are not followed: a snapshot of the Hub is one of links into another folder.
    folder = path.absolute().parent
    found = [Path(os.path.normpath(folder / name)) for name in names]
    for file, name in zip(found, names, strict=True):
        if not file.is_relative_to(folder):
            raise ConfigError(f"{path}: its data lies outside its folder, in {name}")
        if not file.is_file():
            raise ConfigError(f"{path}: its data file {name} is missing")
    return found


def run_float(
    path: Path, feeds: Sequence[Mapping[str, NDArray[np.generic]]]
) -> list[NDArray[np.generic]]:
    """Run a float model by onnxruntime; give the first output of each feed."""
    return [next(iter(found.values())) for found in run_all(path, feeds)]


def run_all(
    path: Path, feeds: Sequence[Mapping[str, NDArray[np.generic]]]
) -> list[dict[str, NDArray[np.generic]]]:
    """Run a float model by onnxruntime; give all outputs of each feed by name, in their order."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = _ORT_ERRORS_ONLY
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return [dict(zip(names, session.run(None, dict(feed)), strict=True)) for feed in feeds]
