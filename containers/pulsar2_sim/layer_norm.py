"""The pieces of a layer normalization, as exporters below opset 17 write them, become one node."""

from dataclasses import dataclass

import onnx

from .graph import Links, replace_nodes


def fuse_layer_normalizations(model: onnx.ModelProto) -> None:
    """Fuse in place; what only looks similar is left as it is."""
    links = Links(model)
    removed: set[str] = set()
    fused: dict[str, onnx.NodeProto] = {}
    for node in model.graph.node:
        if node.op_type == "Sqrt":
            match = _match_layer_normalization(links, node)
            if match is not None:
                removed |= match.removed
                fused[match.last] = match.node
    kept = [
        fused.get(node.name, node)
        for node in model.graph.node
        if node.name in fused or node.name not in removed
    ]
    replace_nodes(model, kept)


@dataclass(frozen=True, slots=True)
class _Match:
    node: onnx.NodeProto
    last: str
    removed: frozenset[str]


def _match_layer_normalization(links: Links, sqrt: onnx.NodeProto) -> _Match | None:
    """Match mean, Sub, Pow, mean, Add, Sqrt, Div, Mul, Add around a Sqrt."""
    shifted = links.parent(sqrt, 0, "Add")
    variance = links.parent(shifted, 0, "ReduceMean")
    square = links.parent(variance, 0, "Pow")
    centred = links.parent(square, 0, "Sub")
    mean = links.parent(centred, 1, "ReduceMean")
    divided = links.only_child(sqrt, "Div")
    scaled = links.only_child(divided, "Mul")
    last = links.only_child(scaled, "Add")
    if None in (shifted, variance, square, centred, mean, divided, scaled, last):
        return None
    if mean.input[0] != centred.input[0] or divided.input[0] != centred.output[0]:
        return None
    epsilon = links.constants.get(shifted.input[1])
    gamma = next((name for name in scaled.input if name in links.constants), None)
    beta = next((name for name in last.input if name in links.constants), None)
    if epsilon is None or gamma is None or beta is None or not _last_axis(mean, variance):
        return None
    if {links.constants[name].ndim for name in (gamma, beta)} != {1}:
        return None
    node = onnx.helper.make_node(
        "LayerNormalization",
        [centred.input[0], gamma, beta],
        [last.output[0]],
        name=f"{last.name}_layer_norm",
        axis=-1,
        epsilon=float(epsilon.reshape(-1)[0]),
    )
    parts = (shifted, variance, square, centred, mean, sqrt, divided, scaled, last)
    if any(links.is_output(part.output[0]) for part in parts[:-1]):
        return None  # someone wants to see what is inside
    return _Match(node, last.name, frozenset(part.name for part in parts))


def _last_axis(*means: onnx.NodeProto) -> bool:
    """Say whether all reduce the last axis only; opset 17 keeps it in an attribute."""
    axes = [list(a.ints) for mean in means for a in mean.attribute if a.name == "axes"]
    return axes == [[-1]] * len(means)
