"""A model run a few nodes at a time, so that every tensor can be looked at and then dropped.

The nodes are run as they stand, none fused with another: it is the arithmetic that the
QuantizeLinear pairs spell out. An INT8 kernel rounds once and may be one step away from it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

Array = NDArray[np.generic]
Tensors = Mapping[str, Array]


class Bench:
    """The constants of a model, and what is needed to run some of its nodes."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._opsets = list(model.opset_import)
        self._ir_version = model.ir_version

    def run(
        self, nodes: Sequence[onnx.NodeProto], outputs: Sequence[str], live: Tensors
    ) -> dict[str, Array]:
        """Run nodes that are in order on tensors of `live`; give the tensors named `outputs`."""
        outside = reads(nodes)
        feed = {name: live[name] for name in outside if name not in self.constants}
        graph = onnx.helper.make_graph(
            list(nodes),
            "part",
            [_described(name, array) for name, array in feed.items()],
            [onnx.ValueInfoProto(name=name) for name in outputs],
            [self.constants[name] for name in outside if name in self.constants],
        )
        model = onnx.helper.make_model(
            graph, opset_imports=self._opsets, ir_version=self._ir_version
        )
        session = unfused_session(model)
        return dict(zip(outputs, session.run(list(outputs), feed), strict=True))


def node_by_node(model: onnx.ModelProto, feed: Tensors) -> Iterator[tuple[onnx.NodeProto, Tensors]]:
    """Give each node in order with its outputs; a tensor lives until its last reader has run."""
    bench = Bench(model)
    live = dict(feed)
    nodes = in_order(list(model.graph.node))
    dead_after = last_readers([reads([node]) for node in nodes])
    for node, dead in zip(nodes, dead_after, strict=True):
        made = bench.run([node], [name for name in node.output if name], live)
        yield node, made
        live.update(made)
        for name in dead:
            live.pop(name, None)


def computed_tensors(model: onnx.ModelProto, feed: Tensors) -> Iterator[tuple[str, Array]]:
    """Give the tensors that depend on the inputs, in the order in which they are made."""
    depends = set(feed)
    for node, made in node_by_node(model, feed):
        if depends.intersection(node.input):
            depends.update(made)
            yield from made.items()


def in_order(nodes: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Give the nodes so that each comes after the makers of what it reads; else as they were."""
    makers = {name: node for node in nodes for name in node.output if name}
    sorted_nodes: dict[str, onnx.NodeProto] = {}
    left = list(reversed(nodes))
    while left:
        node = left[-1]
        before = [makers[name] for name in node.input if name in makers]
        missing = [maker for maker in before if maker.output[0] not in sorted_nodes]
        if missing:
            left += reversed(missing)
        else:
            sorted_nodes.setdefault(left.pop().output[0], node)
    return list(sorted_nodes.values())


def reads(nodes: Iterable[onnx.NodeProto]) -> list[str]:
    """Give the tensors that the nodes read and do not make themselves, each once."""
    made: set[str] = {""}  # an optional input that is left out
    found: dict[str, None] = {}
    for node in nodes:
        found.update((name, None) for name in node.input if name not in made)
        made.update(node.output)
    return list(found)


def last_readers(steps: Sequence[Iterable[str]]) -> list[list[str]]:
    """Give for each step the tensors that no later one reads."""
    last = {name: index for index, names in enumerate(steps) for name in names}
    dead: list[list[str]] = [[] for _ in steps]
    for name, index in last.items():
        dead[index].append(name)
    return dead


def unfused_session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Give a session that runs every node as it stands, with no arena that keeps its memory."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _described(name: str, array: Array) -> onnx.ValueInfoProto:
    kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    return onnx.helper.make_tensor_value_info(name, kind, list(array.shape))
