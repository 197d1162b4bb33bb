"""Tensors inside a graph as outputs of their own, so that one sees where two machines part."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from math import prod
from typing import TYPE_CHECKING

from orchestrator.errors import OptimizeError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

#: Where a number of tensors is asked for, these are looked at: an output in the middle of what a
#: compiler makes one step of (a normalization, GELU, a scaled product) would change the model.
_LANDMARKS = frozenset(
    (
        *("Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "Conv", "ConvTranspose"),
        *("Gelu", "Gemm", "GlobalAveragePool", "LayerNormalization", "MatMul", "MaxPool", "Relu"),
        *("Resize", "Sigmoid", "Softmax", "Tanh"),
    )
)
_GOES_ON = frozenset(("Add", "Clip", "Div", "Mul", "Relu", "Sigmoid"))
#: These only move numbers, or round them: what they give says nothing that their input does not.
_IDLE = frozenset(
    (
        "Cast",
        "Flatten",
        "Identity",
        "Reshape",
        "Slice",
        "Split",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    )
)
#: All chosen tensors of one image, as 32-bit floats, have to fit into one answer of a board, which
#: may have 256 MiB and writes three bytes as four.
_MOST_BYTES = 96 * 1024 * 1024
_ITEM_BYTES = 4
_MANY = 2


def with_layers(model: ModelProto, layers: Sequence[str] | int) -> ModelProto:
    """Make tensors outputs of the graph, behind its own; a number: so many, spread evenly.

    Raises:
        OptimizeError: there is no such tensor, or none to choose from.
    """
    if not layers:
        return model
    import onnx

    sizes = layer_sizes(model)
    if isinstance(layers, int):
        marks = landmarks(model)
        names = spread({name: size for name, size in sizes.items() if name in marks}, layers)
    else:
        names = _named(sizes, layers)
    inferred = onnx.shape_inference.infer_shapes(model)
    known = {value.name: value for value in inferred.graph.value_info}
    longer = onnx.ModelProto()
    longer.CopyFrom(model)
    longer.graph.output.extend(known[name] for name in names)
    return longer


def layer_sizes(model: ModelProto) -> dict[str, int]:
    """Give the inner tensors that can be looked at, in the graph's order, with their size in bytes.

    They are floats of a fixed shape, and something was computed in them.
    """
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model)
    outputs = {value.name for value in model.graph.output}
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in inferred.graph.value_info
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    }
    made = (
        name
        for node in model.graph.node
        if node.op_type not in _IDLE and any(node.input)
        for name in node.output
    )
    return {
        name: prod(shapes[name]) * _ITEM_BYTES
        for name in made
        if name not in outputs and name in shapes and all(shapes[name]) and shapes[name]
    }


def landmarks(model: ModelProto) -> set[str]:
    """Give the tensors at which a step is complete, however a compiler joins the nodes."""
    graph = model.graph
    constants = {one.name: prod(one.dims) for one in graph.initializer}
    readers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)

    def by_a_constant(node: NodeProto) -> bool:
        return len(node.input) == 1 or any(name in constants for name in node.input)

    def whole(node: NodeProto) -> bool:
        if node.op_type == "Add":  # not the epsilon of a normalization
            return all(constants.get(name, _MANY) > 1 for name in node.input)
        after = readers.get(node.output[0], [])
        lonely = len(after) == 1 and after[0].op_type in _GOES_ON
        return not (lonely and by_a_constant(after[0]))

    return {node.output[0] for node in graph.node if node.op_type in _LANDMARKS and whole(node)}


def spread(sizes: dict[str, int], count: int) -> list[str]:
    """Choose so many tensors evenly, the first and the last among them.

    Large ones are left out where all together would be more than a board can say at once.
    """
    most = _MOST_BYTES // count
    names = [name for name, size in sizes.items() if size <= most]
    if not names:
        raise OptimizeError(
            f"optimize.layers: {count} tensors of {len(sizes)} in the graph would be more than "
            f"{_MOST_BYTES:,} bytes",
            "ask for fewer",
        )
    if count >= len(names):
        return names
    steps = max(1, count - 1)
    return [names[round(number * (len(names) - 1) / steps)] for number in range(count)]


def _named(sizes: dict[str, int], layers: Sequence[str]) -> list[str]:
    """Give the named tensors in the graph's order."""
    for name in layers:
        if name not in sizes:
            near = get_close_matches(name, sizes, n=3, cutoff=0.3)
            like = f"like it are {', '.join(near)}; " if near else ""
            raise OptimizeError(
                f"optimize.layers: the simplified graph has no inner float tensor {name!r}",
                f"{like}a number in its place spreads so many evenly",
            )
    return [name for name in sizes if name in set(layers)]
