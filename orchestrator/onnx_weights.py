"""A graph without its weights while it is rewritten: every step of that copies the whole model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

#: Operators whose second input is what makes a model large; what they compute is never constant.
_WEIGHTED = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul"))
#: Below this a copy costs nothing, and the number may be one that decides over the graph.
_LARGE_BYTES = 64 * 1024

Weights = Mapping[str, "TensorProto"]


def take_weights(model: ModelProto) -> Weights:
    """Take the large weights out of a model, in place; it has inputs of their names instead.

    What others than `_WEIGHTED` read as well stays: it may have to be folded.
    """
    import onnx

    readers: dict[str, set[bool]] = {}
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            readers.setdefault(name, set()).add(index == 1 and node.op_type in _WEIGHTED)
    taken: dict[str, TensorProto] = {}
    rest = onnx.GraphProto()
    for tensor in model.graph.initializer:
        if readers.get(tensor.name) == {True} and tensor.ByteSize() >= _LARGE_BYTES:
            taken[tensor.name] = tensor
        else:
            rest.initializer.add().CopyFrom(tensor)
    del model.graph.initializer[:]
    model.graph.initializer.extend(rest.initializer)
    model.graph.input.extend(
        onnx.helper.make_tensor_value_info(name, tensor.data_type, tensor.dims)
        for name, tensor in taken.items()
    )
    return taken


def give_weights(model: ModelProto, weights: Weights) -> None:
    """Put weights back into a model, in place; those that nothing reads any more are left out."""
    used = {name for node in model.graph.node for name in node.input}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.graph.initializer.extend(tensor for name, tensor in weights.items() if name in used)
