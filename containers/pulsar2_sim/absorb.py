"""Activations that need no node of their own in a quantized model."""

from collections.abc import Mapping

import onnx

from .graph import Links, replace_nodes
from .layer_types import FLOAT, PASSING, LayerType
from .scales import signed


def absorb_activations(model: onnx.ModelProto, types: Mapping[str, LayerType]) -> onnx.ModelProto:
    """Give a copy without each Relu that the range of the layer before it can stand for."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    links = Links(copy)
    kept = []
    for node in copy.graph.node:
        before = links.producer.get(node.input[0]) if node.op_type == "Relu" else None
        if before is None or not _absorbs(links, before, node, types):
            kept.append(node)
        else:
            before.output[0] = node.output[0]
            links.producer[node.output[0]] = before
    replace_nodes(copy, kept)
    return copy


def _absorbs(
    links: Links, before: onnx.NodeProto, relu: onnx.NodeProto, types: Mapping[str, LayerType]
) -> bool:
    """Say whether what is below 0 is cut by the quantization of `before` already."""
    kind = types[relu.name].outputs
    if before.op_type in PASSING or kind in ("", FLOAT) or signed(kind):
        return False
    if not types[before.name].outputs == types[relu.name].inputs == kind:
        return False
    return before.output[0] == relu.input[0] and links.only_child(before, "Relu") is not None
