"""An ONNX file as the preflight looks at it: what is constant is folded, weights are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import ConfigError
from orchestrator.pulsar2.preflight.nodes import operand
from orchestrator.pulsar2.preflight.weightless import read_weightless

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

#: A length, or the name of one that is not fixed ("" has no name); None: nothing is known.
Shape = tuple[int | str, ...] | None

_DATA_FIELDS = (
    "raw_data",
    "float_data",
    "int32_data",
    "int64_data",
    "double_data",
    "uint64_data",
    "string_data",
)
#: Inferring the shapes of more nodes takes too long for a check before the check.
_MOST_NODES = 20_000
#: Their outputs are constant when their inputs are not: shapes are fixed, or refused elsewhere.
_OF_SHAPE = {"Shape", "Size"}
#: Their outputs depend on more than their inputs.
_NEVER_FOLDED = {
    "If",
    "Loop",
    "Scan",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Bernoulli",
    "Multinomial",
}
_LONGEST_CHAIN = 8
_PASSES_ON = {"Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape"}


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output: `dtype` is ONNX's number of it."""

    name: str
    dtype: int
    shape: Shape


@dataclass(frozen=True, slots=True)
class View:
    """What the checks ask about.

    Attributes:
        opset: of plain ONNX; 0: the model does not say.
        nodes: those that a simplifier would leave.
        shapes: by tensor, as far as they could be inferred.
        dtypes: ONNX's numbers by tensor.
        constants: small initializers and the values of Constant nodes; of weights the values are
            left out.
        folded: every tensor that does not depend on an input.
        made_by: tensor → the node that gives it, folded ones too.
        functions: domain and name of the functions that the model brings along.
    """

    opset: int
    nodes: tuple[NodeProto, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    shapes: Mapping[str, Shape]
    dtypes: Mapping[str, int]
    constants: Mapping[str, TensorProto]
    folded: frozenset[str]
    made_by: Mapping[str, NodeProto]
    functions: frozenset[tuple[str, str]]

    def values(self, name: str) -> tuple[float, ...] | None:
        """Give a constant's numbers in order; None: it is none, is large, or must be computed."""
        import numpy as np
        from onnx import numpy_helper

        for _ in range(_LONGEST_CHAIN):
            node = self.made_by.get(name)
            if name in self.constants or node is None or node.op_type not in _PASSES_ON:
                break
            name = operand(node, 0)
        tensor = self.constants.get(name)
        if tensor is None:
            return None
        return tuple(np.asarray(numpy_helper.to_array(tensor), dtype=np.float64).ravel().tolist())

    def rank(self, name: str) -> int | None:
        """Give the number of axes of a tensor, when it is known."""
        shape = self.shapes.get(name)
        return None if shape is None else len(shape)


def read_model(path: Path) -> ModelProto:
    """Read an ONNX file without its weights. Raises ConfigError when it is none."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(read_weightless(path))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except (DecodeError, RecursionError, ValueError) as error:
        raise ConfigError(f"{path}: is no ONNX file, or only the beginning of one") from error
    if not model.graph.node and not model.graph.output:
        raise ConfigError(f"{path}: is no ONNX file: there is no graph in it")
    return model


def view_of(model: ModelProto, fixed: Mapping[str, tuple[int, ...]]) -> View:
    """Fold a model and infer its shapes; the model itself gets the fixed ones.

    Args:
        model: as `read_model` gives it.
        fixed: new shapes of inputs.
    """
    _fix(model.graph, fixed)
    inferred = _inferred(model)
    graph = inferred.graph
    given = {tensor.name for tensor in graph.initializer}
    held = _tensors(graph)
    weights = _weights(held)
    folded = _folded(graph)
    infos = (*graph.value_info, *graph.input, *graph.output)
    shapes: dict[str, Shape] = {one.name: _shape(one) for one in infos}
    shapes |= {name: tuple(one.dims) for name, one in held.items()}
    dtypes = {one.name: int(one.type.tensor_type.elem_type) for one in infos}
    dtypes |= {name: int(one.data_type) for name, one in held.items()}
    return View(
        opset=opset_of(model),
        nodes=tuple(
            node for node in graph.node if not folded.issuperset(filter(None, node.output))
        ),
        inputs=tuple(_tensor(one) for one in graph.input if one.name not in given),
        outputs=tuple(_tensor(one) for one in graph.output),
        shapes=shapes,
        dtypes=dtypes,
        constants={name: one for name, one in held.items() if name not in weights},
        folded=frozenset(folded),
        made_by={name: node for node in graph.node for name in node.output if name},
        functions=frozenset((one.domain, one.name) for one in inferred.functions),
    )


def opset_of(model: ModelProto) -> int:
    """Give the version of plain ONNX that the model is written in; 0: it does not say."""
    found = [one.version for one in model.opset_import if one.domain in {"", "ai.onnx"}]
    return max(found, default=0)


def _weights(tensors: Mapping[str, TensorProto]) -> set[str]:
    """Give the tensors whose numbers were not read: they are large, or lie elsewhere."""
    return {
        name
        for name, one in tensors.items()
        if 0 not in one.dims and not any(len(getattr(one, field)) for field in _DATA_FIELDS)
    }


def _fix(graph: GraphProto, fixed: Mapping[str, tuple[int, ...]]) -> None:
    for one in graph.input:
        if one.name in fixed:
            shape = one.type.tensor_type.shape
            del shape.dim[:]
            for length in fixed[one.name]:
                shape.dim.add().dim_value = length
    if fixed:  # what was inferred for other shapes is wrong now
        del graph.value_info[:]
        for one in graph.output:
            one.type.tensor_type.ClearField("shape")


def _inferred(model: ModelProto) -> ModelProto:
    from onnx import shape_inference

    if len(model.graph.node) > _MOST_NODES:
        return model
    try:
        return shape_inference.infer_shapes(model, data_prop=True)
    except (shape_inference.InferenceError, RuntimeError, ValueError):
        return model  # the checks then know less


def _tensors(graph: GraphProto) -> dict[str, TensorProto]:
    """Give initializers and what Constant nodes hold."""
    import numpy as np
    from onnx import helper, numpy_helper

    found = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        for one in node.attribute if node.op_type == "Constant" else ():
            if one.name == "value":
                found[node.output[0]] = one.t
            elif one.name in {"value_float", "value_floats", "value_int", "value_ints"}:
                kind = np.float32 if "float" in one.name else np.int64
                value = np.asarray(helper.get_attribute_value(one), dtype=kind)
                found[node.output[0]] = numpy_helper.from_array(value)
    return found


def _folded(graph: GraphProto) -> set[str]:
    """Give the tensors that do not depend on an input; nodes are in topological order."""
    known = {tensor.name for tensor in graph.initializer}
    known |= {one.values.name for one in graph.sparse_initializer}
    for node in graph.node:
        is_known = known.issuperset(filter(None, node.input)) or node.op_type in _OF_SHAPE
        if is_known and node.op_type not in _NEVER_FOLDED:
            known.update(filter(None, node.output))
    return known


def _tensor(one: ValueInfoProto) -> Tensor:
    return Tensor(one.name, int(one.type.tensor_type.elem_type), _shape(one))


def _shape(one: ValueInfoProto) -> Shape:
    kind = one.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(
        dim.dim_value if dim.HasField("dim_value") else str(dim.dim_param) for dim in kind.shape.dim
    )
