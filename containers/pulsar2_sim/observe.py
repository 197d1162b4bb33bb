"""The range of every tensor that is quantized, over the calibration samples.

A first pass lets the model itself reduce each tensor; only two numbers a tensor leave it. The other
methods need the tensors in a second pass: they are fetched a bounded number of bytes at a time,
sample by sample. Memory does not grow with the number of samples.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from . import console
from .clipping import BINS, Histogram, Range, clipped
from .graph import replace_nodes
from .model import shapes_of
from .tensor_types import Pair

Sample = Mapping[str, NDArray[np.generic]]

#: How much of the histogram methods' tensors is held at once.
CHUNK_BYTES = 768 * 2**20
_LABEL = "Calibration Progress(Phase {})"


def observe(
    model: onnx.ModelProto,
    pairs: Iterable[Pair],
    samples: Sequence[Sample],
    method: str,
    scratch: Path,
) -> dict[tuple[str, str], Range]:
    """Give the range of each tensor, for each type that it is quantized to.

    `scratch` is a folder for the instrumented model.
    """
    wanted = sorted({(pair.like, pair.kind) for pair in pairs})
    names = sorted({name for name, _ in wanted})
    whole = _extremes(model, names, samples, scratch)
    if method == "MinMax":
        return {(name, kind): whole[name] for name, kind in wanted}
    found = {}
    for name, histogram in _histograms(model, whole, samples, scratch):
        for kind in (kind for each, kind in wanted if each == name):
            found[name, kind] = clipped(histogram, method, kind)
    return found


def _extremes(
    model: onnx.ModelProto, names: Sequence[str], samples: Sequence[Sample], scratch: Path
) -> dict[str, Range]:
    nodes, outputs = [], []
    for index, name in enumerate(names):
        for op_type in ("ReduceMin", "ReduceMax"):
            made = f"observed_{op_type}_{index}"
            nodes.append(onnx.helper.make_node(op_type, [name], [made], keepdims=0))
            outputs.append(onnx.helper.make_tensor_value_info(made, onnx.TensorProto.FLOAT, []))
    if not names:
        return {}
    session = observing_session(model, nodes, outputs, scratch / "extremes.onnx")
    ticked = console.progress(samples, _LABEL.format(1))
    found = [session.run(None, dict(sample)) for sample in ticked]
    table = np.array(found, np.float64).reshape(len(samples), len(names), 2)
    lows, highs = table[:, :, 0].min(axis=0), table[:, :, 1].max(axis=0)
    return {
        name: (float(low), float(high)) for name, low, high in zip(names, lows, highs, strict=True)
    }


def _histograms(
    model: onnx.ModelProto, ranges: Mapping[str, Range], samples: Sequence[Sample], scratch: Path
) -> Iterator[tuple[str, Histogram]]:
    values = {
        value.name: value
        for value in (*model.graph.value_info, *model.graph.input, *model.graph.output)
    }
    chunks = list(_chunks(model, list(ranges)))
    ticks = console.progress(range(len(chunks) * len(samples)), _LABEL.format(2))
    for chunk in chunks:
        path = scratch / "chunk.onnx"
        session = observing_session(model, [], [values[name] for name in chunk], path)
        counts = {name: np.zeros(BINS, np.int64) for name in chunk}
        zeros = dict.fromkeys(chunk, 0)
        for sample, _ in zip(samples, ticks, strict=False):
            for name, array in zip(chunk, session.run(list(chunk), dict(sample)), strict=True):
                low, high = ranges[name]
                if low < high:
                    counts[name] += np.histogram(array, BINS, (low, high))[0]
                    zeros[name] += array.size - int(np.count_nonzero(array))
        for name in chunk:
            yield name, Histogram(counts[name], *ranges[name], zeros[name])
    for _ in ticks:  # the last tick ends the line
        pass


def _chunks(model: onnx.ModelProto, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    shapes = shapes_of(model)
    chunk: list[str] = []
    held = 0
    for name in names:
        size = 4 * int(np.prod(shapes[name]))
        if chunk and held + size > CHUNK_BYTES:
            yield tuple(chunk)
            chunk, held = [], 0
        chunk.append(name)
        held += size
    if chunk:
        yield tuple(chunk)


def observing_session(
    model: onnx.ModelProto,
    nodes: Sequence[onnx.NodeProto],
    outputs: Sequence[onnx.ValueInfoProto],
    path: Path,
) -> onnxruntime.InferenceSession:
    """Give a session of the model with these nodes and outputs in the place of its own outputs.

    It frees each tensor at once: no arena, and `nodes` run as soon as they can.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    replace_nodes(copy, _each_behind_its_maker(model, nodes))
    del copy.graph.output[:]
    copy.graph.output.extend(outputs)
    onnx.save(copy, path)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _each_behind_its_maker(
    model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]
) -> list[onnx.NodeProto]:
    """Give all nodes in an order in which no tensor waits for the `nodes` that read it."""
    readers: defaultdict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in nodes:
        readers[node.input[0] if node.input else ""].append(node)
    ordered: list[onnx.NodeProto] = []

    def follow(name: str) -> None:
        for reader in readers.pop(name, ()):
            ordered.append(reader)
            follow(reader.output[0])

    follow("")
    for value in model.graph.input:
        follow(value.name)
    for node in model.graph.node:
        ordered.append(node)
        for name in node.output:
            if name:
                follow(name)
    return ordered
