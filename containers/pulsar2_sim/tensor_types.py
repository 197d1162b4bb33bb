"""The types of a float model's tensors, which follow from those of its layers."""

from collections.abc import Mapping
from dataclasses import dataclass

import onnx

from .graph import Links
from .layer_types import FLOAT, PASSING, LayerType
from .model import graph_inputs
from .stepping import in_order
from .weights import WEIGHTED

_FIRST_ONLY = frozenset(
    {
        "BatchNormalization", "Clip", "GroupNormalization", "InstanceNormalization",
        "LayerNormalization", "Pad", "Resize", "Upsample",
    }
)  # fmt: skip
_WIDTH = {"S8": 1, "U8": 2, "S16": 3, "U16": 4}


@dataclass(frozen=True, slots=True)
class Pair:
    """A QuantizeLinear pair on a tensor; the scale is for the range of `like` in this type."""

    tensor: str
    kind: str
    like: str


class TensorTypes:
    """Which pairs a model gets: one on a tensor in its own type, more for those who read others.

    Attributes:
        own: the pair behind the maker of a tensor, if it has one.
        floats: the names of all float tensors that are no constants.
    """

    def __init__(self, model: onnx.ModelProto, types: Mapping[str, LayerType]) -> None:
        self._types = types
        self._links = Links(model)
        self.floats = _float_tensors(model) - set(self._links.constants)
        self.own: dict[str, Pair] = {}
        for value in graph_inputs(model):
            self._own(value.name, self._widest_reader(value.name))
        for node in in_order(list(model.graph.node)):
            for name in node.output:
                self._make(node, name)

    def read(self, node: onnx.NodeProto, index: int) -> Pair | None:
        """Give the pair through which a node reads an input, or None when it reads it in float."""
        name = node.input[index]
        kind = self._types[node.name]
        own = self.own.get(name)
        if kind.raw:
            return None
        if name not in self.floats or index not in data_inputs(node):
            return own
        wanted = kind.inputs
        if not wanted and own is None:
            wanted = self._widest_reader(name)  # what moves data moves what others read
        if wanted in ("", FLOAT) or (own is not None and own.kind == wanted):
            return own
        return Pair(name, wanted, name)

    def pairs(self, model: onnx.ModelProto) -> list[Pair]:
        """Give all pairs that something reads, another pair included, and those of outputs."""
        outputs = {value.name for value in model.graph.output}
        found = {pair: None for name, pair in self.own.items() if name in outputs}
        for node in model.graph.node:
            reads = (self.read(node, index) for index in range(len(node.input)))
            found |= {pair: None for pair in reads if pair is not None}
        own = [self.own.get(pair.tensor) for pair in found]
        return list(found | {pair: None for pair in own if pair is not None})

    def _widest_reader(self, name: str) -> str:
        if name not in self.floats:
            return FLOAT
        readers = self._links.consumers[name]
        kinds = {
            self._types[node.name].inputs for node in readers if not self._types[node.name].raw
        }
        return max(kinds - {"", FLOAT}, key=_WIDTH.__getitem__, default=FLOAT)

    def _make(self, node: onnx.NodeProto, name: str) -> None:
        kind = self._types[node.name]
        if node.op_type not in PASSING:
            self._own(name, kind.outputs)
            return
        source = self.read(node, 0)
        if name in self.floats and source and kind.outputs in ("", source.kind):
            self.own[name] = Pair(name, source.kind, source.like)
        elif kind.outputs:
            self._own(name, kind.outputs)

    def _own(self, name: str, kind: str) -> None:
        if name in self.floats and kind != FLOAT:
            self.own[name] = Pair(name, kind, name)


def data_inputs(node: onnx.NodeProto) -> range:
    """Give the indices of the inputs that may be quantized as activations."""
    if node.op_type in PASSING or node.op_type in _FIRST_ONLY:
        return range(1)
    return range(min(len(node.input), 2) if node.op_type in WEIGHTED else len(node.input))


def _float_tensors(model: onnx.ModelProto) -> set[str]:
    graph = model.graph
    return {
        value.name
        for value in (*graph.value_info, *graph.input, *graph.output)
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    }
