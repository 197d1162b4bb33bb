"""Looking along the edges of an ONNX graph, and replacing its nodes.

onnx ships no types: a NodeProto here may be None.
"""

from collections import defaultdict

import numpy as np
import onnx
from numpy.typing import NDArray


def replace_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    """Make `nodes`, in this order, all the nodes of the model."""
    copies = []
    for node in nodes:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copies.append(copy)
    del model.graph.node[:]
    model.graph.node.extend(copies)


class Links:
    """Who makes and who reads each tensor, and the constants."""

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self.producer = {name: node for node in graph.node for name in node.output}
        self.consumers: defaultdict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self.consumers[name].append(node)
        self.constants: dict[str, NDArray[np.generic]] = {
            tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer
        }
        self._outputs = {value.name for value in graph.output}

    def is_output(self, name: str) -> bool:
        """Say whether a tensor is an output of the model."""
        return name in self._outputs

    def parent(self, node: onnx.NodeProto, index: int, op_type: str) -> onnx.NodeProto:
        """Give the maker of an input if it is of this type, or None."""
        maker = None if node is None else self.producer.get(node.input[index])
        return maker if maker is not None and maker.op_type == op_type else None

    def only_child(self, node: onnx.NodeProto, op_type: str) -> onnx.NodeProto:
        """Give the one reader of the output if it is of this type, or None."""
        if node is None or self.is_output(node.output[0]):
            return None
        readers = self.consumers[node.output[0]]
        return readers[0] if len(readers) == 1 and readers[0].op_type == op_type else None
