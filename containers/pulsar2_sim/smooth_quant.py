"""Smooth quantization (Xiao et al. 2022, arXiv:2211.10438): outliers move into the weights.

An input whose channels differ much in size loses its small ones to a common scale. Its channels are
divided by s = max|X|^strength / max|W|^(1 - strength) and the weights behind it multiplied by the
same. The division is a node of its own, in float, so that every other tensor stays what it was.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from . import console
from .graph import Links, replace_nodes
from .layer_types import FLOAT, PASSING, LayerType
from .model import shapes_of
from .observe import Sample, observing_session
from .stepping import in_order
from .tensor_types import TensorTypes

Maxima = Mapping[str, NDArray[np.float64]]

_REDUCE_AXES_ARE_INPUTS = 18
_SMALLEST = 1e-5
_MATRIX = 2


@dataclass(frozen=True, slots=True)
class SmoothQuant:
    """`threshold` is the share of the candidates that takes part, those with outliers first."""

    threshold: float
    strength: float


@dataclass(frozen=True, slots=True)
class _Group:
    """A tensor, the axis of its channels, and the layers whose weights multiply them."""

    tensor: str
    axis: int
    rank: int
    layers: tuple[onnx.NodeProto, ...]


@dataclass(frozen=True, slots=True)
class Smoothed:
    """The rewritten float model, and the types of its layers with those of the new ones."""

    model: onnx.ModelProto
    types: Mapping[str, LayerType]


def smooth(
    model: onnx.ModelProto,
    types: Mapping[str, LayerType],
    samples: Sequence[Sample],
    settings: SmoothQuant,
    scratch: Path,
) -> Smoothed:
    """Smooth the inputs with the greatest outliers."""
    console.say("Enable Smooth Quant, this pass is used for outlier activation.")
    groups = _groups(model, types)
    label = "Analysing Smooth Quantization Error(Phrase {})"
    maxima = _channel_maxima(model, groups, samples, label.format(1), scratch)
    ranked = sorted(groups, key=lambda group: -_outliers(maxima[group.tensor]))
    chosen = ranked[: math.ceil(settings.threshold * len(groups))]
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    new_types = dict(types)
    for group in console.progress(chosen, "Get Outlier Progress"):
        _smooth(copy, group, maxima[group.tensor], settings.strength)
        new_types[_name(group.tensor)] = LayerType(FLOAT, FLOAT, raw=True)
    if chosen:
        replace_nodes(copy, in_order(list(copy.graph.node)))  # the new ones are at the end
        copy = onnx.shape_inference.infer_shapes(copy, strict_mode=True)
    after = [_Group(_name(g.tensor), g.axis, g.rank, g.layers) for g in chosen]
    smoothed = _channel_maxima(copy, after, samples, label.format(2), scratch)
    for group in chosen:
        before, now = _outliers(maxima[group.tensor]), _outliers(smoothed[_name(group.tensor)])
        console.say(f"smooth [{group.tensor}]: outlier level {before:.3f} -> {now:.3f}")
    return Smoothed(copy, new_types)


def _groups(model: onnx.ModelProto, types: Mapping[str, LayerType]) -> list[_Group]:
    """Give the tensors that are made in float and multiplied with constant, quantized weights.

    What a layer that only moves data gives is quantized before it, too late to be smoothed.
    """
    links = Links(model)
    floats = TensorTypes(model, types).floats
    shapes = shapes_of(model)
    found = []
    for tensor in sorted(floats):
        maker = links.producer.get(tensor)
        if maker is not None and maker.op_type in PASSING:
            continue
        layers = [
            node
            for node in links.consumers[tensor]
            if _takes_part(links, node, tensor, types[node.name])
        ]
        rank = len(shapes[tensor])
        axes = {1 if node.op_type == "Conv" else rank - 1 for node in layers}
        if len(axes) == 1:
            found.append(_Group(tensor, axes.pop(), rank, tuple(layers)))
    return found


def _takes_part(links: Links, node: onnx.NodeProto, tensor: str, kind: LayerType) -> bool:
    weights = links.constants.get(node.input[1]) if len(node.input) > 1 else None
    if weights is None or node.input[0] != tensor or FLOAT in (kind.inputs, kind.weights):
        return False
    attributes = {attribute.name: attribute.i for attribute in node.attribute}
    if node.op_type == "Conv":
        return bool(attributes.get("group", 1) == 1)
    if node.op_type == "Gemm":
        return not attributes.get("transA", 0)
    return node.op_type == "MatMul" and weights.ndim == _MATRIX


def _channel_maxima(
    model: onnx.ModelProto,
    groups: Sequence[_Group],
    samples: Sequence[Sample],
    label: str,
    scratch: Path,
) -> Maxima:
    """Give the largest absolute value of each channel over all samples."""
    nodes: list[onnx.NodeProto] = []
    outputs = []
    for index, group in enumerate(groups):
        axes = [axis for axis in range(group.rank) if axis != group.axis]
        size, made = f"size_{index}", f"largest_{index}"
        nodes.append(onnx.helper.make_node("Abs", [group.tensor], [size]))
        nodes += _reduce_max(model, size, made, axes)
        outputs.append(onnx.helper.make_tensor_value_info(made, onnx.TensorProto.FLOAT, None))
    if not groups:
        return {}
    session = observing_session(model, nodes, outputs, scratch / "channels.onnx")
    found = [session.run(None, dict(sample)) for sample in console.progress(samples, label)]
    return {
        group.tensor: np.max([maxima[index] for maxima in found], axis=0).astype(np.float64)
        for index, group in enumerate(groups)
    }


def _reduce_max(
    model: onnx.ModelProto, source: str, made: str, axes: Sequence[int]
) -> list[onnx.NodeProto]:
    make = onnx.helper.make_node
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset < _REDUCE_AXES_ARE_INPUTS:
        return [make("ReduceMax", [source], [made], axes=list(axes), keepdims=0)]
    constant = make("Constant", [], [f"{made}_axes"], value_ints=list(axes))
    return [constant, make("ReduceMax", [source, f"{made}_axes"], [made], keepdims=0)]


def _outliers(maxima: NDArray[np.float64]) -> float:
    """Give the outlier level: log of the largest channel over the one in the middle."""
    middle = float(np.median(maxima))
    return float(np.log(max(maxima.max(), _SMALLEST) / max(middle, _SMALLEST)))


def _smooth(
    model: onnx.ModelProto, group: _Group, maxima: NDArray[np.float64], strength: float
) -> None:
    """Put the division before the layers of a group, and the factor into their weights."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    weights = [onnx.numpy_helper.to_array(constants[node.input[1]]) for node in group.layers]
    axes = [_input_axis(node) for node in group.layers]
    largest = np.max(
        [
            np.abs(array.astype(np.float64)).max(axis=_others(array.ndim, axis))
            for array, axis in zip(weights, axes, strict=True)
        ],
        axis=0,
    )
    factors = np.maximum(maxima, _SMALLEST) ** strength
    factors /= np.maximum(largest, _SMALLEST) ** (1 - strength)
    factors = np.where(maxima > 0, np.maximum(factors, _SMALLEST), 1.0)
    name = _name(group.tensor)
    shape = [-1] + [1] * (group.rank - 1 - group.axis)
    inverse = (1 / factors).astype(np.float32).reshape(shape)
    model.graph.initializer.append(onnx.numpy_helper.from_array(inverse, f"{name}_factors"))
    model.graph.node.append(
        onnx.helper.make_node("Mul", [group.tensor, f"{name}_factors"], [name], name=name)
    )
    layers = {layer.name for layer in group.layers}
    for node in model.graph.node:
        if node.name in layers:
            array = onnx.numpy_helper.to_array(constants[node.input[1]])
            wide = [1] * array.ndim
            wide[_input_axis(node)] = -1
            scaled = (array * factors.reshape(wide)).astype(array.dtype)
            node.input[:] = [name, f"{node.name}_smooth_weights", *node.input[2:]]
            model.graph.initializer.append(onnx.numpy_helper.from_array(scaled, node.input[1]))


def _input_axis(node: onnx.NodeProto) -> int:
    """Give the axis of the weights that runs along the input's channels."""
    attributes = {attribute.name: attribute.i for attribute in node.attribute}
    return 1 if node.op_type == "Conv" or attributes.get("transB", 0) else 0


def _others(rank: int, axis: int) -> tuple[int, ...]:
    return tuple(each for each in range(rank) if each != axis)


def _name(tensor: str) -> str:
    return f"{tensor}_smooth"
