"""The layers of a quantized model: float nodes with the quantized ones that stand for them.

A node of the quantized graph belongs to the float node of its name. Whatever lies between two of
them (QuantizeLinear pairs, the weights' scales, nodes that quantization has added) is part of the
layer that reads it. So every layer takes float tensors and gives float tensors.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import onnx

from .graph import Links
from .stepping import in_order

_PAIR = ("QuantizeLinear", "DequantizeLinear")
_NAMES = {
    "uint8": "U8", "int8": "S8", "uint16": "U16", "int16": "S16", "uint32": "U32", "int32": "S32",
    "uint64": "U64", "int64": "S64", "float16": "FP16", "float32": "FP32", "float64": "FP64",
    "bool": "BOOL",
}  # fmt: skip
#: Op types that only move data: the vendor's table calls Reshape `AxReshape`, not quantized.
_MOVES = frozenset(
    {
        "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "Pad", "Reshape",
        "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
    }
)  # fmt: skip
_SHORT = {"GlobalAveragePool": "GlobAvgPool", "LayerNormalization": "LayerNorm"}


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a layer.

    Attributes:
        name: the tensor in the float model.
        raw: the tensor of the quantized model that the node itself makes.
        seen: the tensor that its readers get, after a QuantizeLinear pair if there is one.
        quantized: the vendor's name of the type it is quantized to, or "".
    """

    name: str
    raw: str
    seen: str
    quantized: str


@dataclass(frozen=True, slots=True)
class Layer:
    """One float node, with those behind it that it absorbs, and what stands for them.

    Attributes:
        nodes: the float nodes; the layer has the name of the first and the outputs of the last.
        kind: the vendor's name of the quantized op type.
        part: nodes of the quantized model, in order; none when quantization has dropped the node.
        inputs: (name in the quantized model, name in the float model) of what `part` reads.
    """

    nodes: tuple[onnx.NodeProto, ...]
    kind: str
    part: tuple[onnx.NodeProto, ...]
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[Output, ...]


def layers(float_model: onnx.ModelProto, quantized: onnx.ModelProto) -> list[Layer]:
    """Pair the nodes of both models, in the order of the float model."""
    by_name = {node.name: node for node in quantized.graph.node if node.op_type not in _PAIR}
    chains = _chains(float_model, frozenset(by_name))
    known = {value.name: value.name for value in quantized.graph.input}
    for chain in chains:
        if chain[0].name in by_name:
            known.update(zip(by_name[chain[0].name].output, chain[-1].output, strict=True))
    pairing = _Pairing(quantized, known)
    return [pairing.layer(chain, by_name.get(chain[0].name)) for chain in chains]


def _chains(float_model: onnx.ModelProto, kept: frozenset[str]) -> list[tuple[onnx.NodeProto, ...]]:
    """Put each node that quantization has dropped behind the one that does its work, if any.

    A Relu goes so: the layer before it quantizes to a range that begins at zero.
    """
    links = Links(float_model)
    graph_outputs = {value.name for value in float_model.graph.output}
    chains: dict[str, list[onnx.NodeProto]] = {}
    for node in in_order(list(float_model.graph.node)):
        data = [name for name in node.input if name and name not in links.constants]
        before = chains.get(data[0]) if len(data) == 1 and node.name not in kept else None
        private = data and len(links.consumers[data[0]]) == 1 and data[0] not in graph_outputs
        if before is not None and before[0].name in kept and private:
            before.append(node)
            chains[node.output[0]] = before
        else:
            chains[node.output[0]] = [node]
    return list({id(chain): tuple(chain) for chain in chains.values()}.values())


def type_name(dtype_name: str) -> str:
    """Give the vendor's name of a numpy type."""
    return _NAMES[dtype_name]


class _Pairing:
    """Looks along the quantized graph; `known` maps its tensors to those of the float model."""

    def __init__(self, quantized: onnx.ModelProto, known: Mapping[str, str]) -> None:
        self._links = Links(quantized)
        self._graph_outputs = {value.name for value in quantized.graph.output}
        self._known = known

    def layer(self, nodes: tuple[onnx.NodeProto, ...], quantized: onnx.NodeProto) -> Layer:
        node = nodes[0]
        if quantized is None:
            return Layer(nodes, f"Ax{_short(node)}", (), (), ())
        before, inputs = self._before(quantized)
        outputs = []
        part = {each.output[0]: each for each in (*before, quantized)}
        for name, raw in zip(nodes[-1].output, quantized.output, strict=True):
            if not name:
                continue
            pair = self._pair(raw)
            part.update((each.output[0], each) for each in pair)
            seen = pair[-1].output[0] if pair else raw
            outputs.append(Output(name, raw, seen, self._type(pair)))
        is_quantized = any(each.op_type == _PAIR[0] for each in before)
        prefix = "AxQuantized" if is_quantized and node.op_type not in _MOVES else "Ax"
        return Layer(
            nodes,
            f"{prefix}{_short(node)}",
            tuple(in_order(list(part.values()))),
            tuple(inputs.items()),
            tuple(outputs),
        )

    def _before(self, node: onnx.NodeProto) -> tuple[list[onnx.NodeProto], dict[str, str]]:
        """Walk up to the tensors that the float model has as well."""
        found: dict[str, onnx.NodeProto] = {}
        inputs: dict[str, str] = {}
        left = list(node.input)
        while left:
            name = left.pop()
            if not name or name in self._links.constants:
                continue
            if name in self._known:
                inputs[name] = self._known[name]
                continue
            maker = self._links.producer[name]
            if maker.output[0] not in found:
                found[maker.output[0]] = maker
                left += maker.input
        return list(found.values()), inputs

    def _pair(self, raw: str) -> list[onnx.NodeProto]:
        """Give the pair through which all read the tensor; none if something reads it raw."""
        readers = self._links.consumers[raw]
        raw_readers = [node for node in readers if node.op_type != _PAIR[0]]
        if not readers or raw_readers or raw in self._graph_outputs:
            return []
        back = [n for n in self._links.consumers[readers[0].output[0]] if n.op_type == _PAIR[1]]
        return [readers[0], back[0]] if back else []

    def _type(self, pair: list[onnx.NodeProto]) -> str:
        if not pair:
            return ""
        zero = [self._links.constants[name] for name in pair[0].input[2:]]
        return type_name(zero[0].dtype.name) if zero else "U8"


def _short(node: onnx.NodeProto) -> str:
    return _SHORT.get(node.op_type, str(node.op_type))
