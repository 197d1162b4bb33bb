"""The front end: the float graph, rewritten so that its parts can be quantized.

Per-channel weights need opset 13, LayerNormalization 17. Constants become initializers, for only
those are taken for weights. A division by a constant becomes a multiplication, which has an INT8
kernel, and the pieces of a layer normalization become one node, which stays in float.
"""

import numpy as np
import onnx

from .attention import scale_queries
from .graph import Links, replace_nodes
from .layer_norm import fuse_layer_normalizations
from .model import Tensor, tensors, value_info

OPSET = 17


def optimize(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give the rewritten copy of a model with all its shapes; the model itself is left alone."""
    outputs = [value.name for value in model.graph.output]
    if _opset(model) < OPSET:
        model = onnx.version_converter.convert_version(model, OPSET)
    else:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        model = copy
    _constants_to_initializers(model)
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    _name_nodes(model)
    _division_to_multiplication(model)
    scale_queries(model)
    fuse_layer_normalizations(model)
    _drop_unused(model)
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    _static_outputs(model, outputs)
    return model


def gelu_nodes(model: onnx.ModelProto) -> list[str]:
    """Give the names of each Erf and of the Mul and Add nodes around it, which make a GELU."""
    links = Links(model)
    found = set()
    for node in model.graph.node:
        if node.op_type != "Erf":
            continue
        before = [links.producer.get(name) for name in node.input]
        after = links.consumers[node.output[0]]
        gates = [gate for add in after for gate in links.consumers[add.output[0]]]
        halves = [half for gate in gates for half in links.consumers[gate.output[0]]]
        halves += [
            links.producer[name] for g in gates for name in g.input if name in links.producer
        ]
        around = [*filter(None, before), *after, *gates, *(h for h in halves if h.op_type == "Mul")]
        found |= {node.name} | {near.name for near in around if near.op_type in ("Mul", "Add")}
    return sorted(found)


def _opset(model: onnx.ModelProto) -> int:
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    return int(max(versions))


def _constants_to_initializers(model: onnx.ModelProto) -> None:
    kept = []
    for node in model.graph.node:
        value = node.attribute[0] if node.op_type == "Constant" else None
        if value is not None and value.name == "value":
            tensor = model.graph.initializer.add()
            tensor.CopyFrom(value.t)
            tensor.name = node.output[0]
        else:
            kept.append(node)
    replace_nodes(model, kept)


def _name_nodes(model: onnx.ModelProto) -> None:
    used = {node.name for node in model.graph.node}
    for index, node in enumerate(model.graph.node):
        if not node.name:
            node.name = f"{node.op_type}_{index}"
            while node.name in used:
                node.name += "_"
            used.add(node.name)


def _division_to_multiplication(model: onnx.ModelProto) -> None:
    constants = Links(model).constants
    for node in model.graph.node:
        divisor = constants.get(node.input[1]) if node.op_type == "Div" else None
        if divisor is not None and divisor.dtype == np.float32 and np.all(divisor != 0):
            inverse = onnx.numpy_helper.from_array(
                np.float32(1) / divisor.astype(np.float32), f"{node.output[0]}_inverse"
            )
            model.graph.initializer.append(inverse)
            node.op_type = "Mul"
            node.input[1] = inverse.name


def _drop_unused(model: onnx.ModelProto) -> None:
    """Drop the constants that no node reads any more, and the shapes of tensors that are gone."""
    graph = model.graph
    used = {name for node in graph.node for name in (*node.input, *node.output)}
    for entries in (graph.initializer, graph.value_info):
        kept = [entry for entry in entries if entry.name in used]
        del entries[:]
        entries.extend(kept)


def _static_outputs(model: onnx.ModelProto, names: list[str]) -> None:
    """Give the outputs the shapes that were inferred for them, in the order they had."""
    found: dict[str, Tensor] = {t.name: t for t in tensors(list(model.graph.output))}
    del model.graph.output[:]
    model.graph.output.extend(
        value_info(name, found[name].dtype, found[name].shape) for name in names
    )
