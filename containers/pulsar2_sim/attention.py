"""Attention: what is done to its float graph before it is quantized."""

import onnx

from .graph import Links, replace_nodes


def scale_queries(model: onnx.ModelProto) -> None:
    """Turn softmax(q k * c) into softmax((q * c) k), in place: less work, no step in between."""
    links = Links(model)
    nodes = list(model.graph.node)
    for softmax in model.graph.node:
        if softmax.op_type != "Softmax":
            continue
        scale = links.parent(softmax, 0, "Mul")
        product = links.parent(scale, 0, "MatMul")
        if None in (scale, product, links.only_child(product, "Mul")):
            continue
        constant = links.constants.get(scale.input[1])
        if constant is None or constant.size != 1 or links.only_child(scale, "Softmax") is None:
            continue
        query = f"{product.output[0]}_query"
        product.output[0] = scale.output[0]
        scale.input[0], scale.output[0] = product.input[0], query
        product.input[0] = query
        at = nodes.index(product)
        nodes.remove(scale)
        nodes.insert(at, scale)
    replace_nodes(model, nodes)
