"""Static quantization of a float model: integers between QuantizeLinear pairs.

Weights are S8 per channel, biases S32, activations what `layer_types` says. The pairs of 8 bits
are ONNX's own, those of 16 bits onnxruntime's, which computes in float between them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from .graph import Links, replace_nodes
from .layer_types import FLOAT, LayerType
from .scales import SIXTEEN_BITS, Scale, integers, scale_of
from .tensor_types import Pair, TensorTypes, data_inputs
from .weights import WEIGHTED, quantized_bias, quantized_weights

Ranges = Mapping[tuple[str, str], tuple[float, float]]

_MICROSOFT = "com.microsoft"
_BIAS = 2


@dataclass(frozen=True, slots=True)
class WeightSettings:
    """How weights and biases are quantized: `bias` is S32 or FP32."""

    bias: str = "S32"
    threshold: float = 1e-6


def quantize(
    model: onnx.ModelProto,
    types: Mapping[str, LayerType],
    ranges: Ranges,
    settings: WeightSettings,
) -> onnx.ModelProto:
    """Give the quantized copy of a model from absorb_activations; inputs and outputs stay."""
    return _Quantizer(model, types, ranges, settings).quantized()


class _Quantizer:
    """Writes the nodes of the quantized model one after the other."""

    def __init__(
        self,
        model: onnx.ModelProto,
        types: Mapping[str, LayerType],
        ranges: Ranges,
        settings: WeightSettings,
    ) -> None:
        self._model = onnx.ModelProto()
        self._model.CopyFrom(model)
        self._types = types
        self._ranges = ranges
        self._settings = settings
        self._tensors = TensorTypes(model, types)
        self._constants = Links(model).constants
        self._outputs = {value.name for value in model.graph.output}
        self._pairs = self._tensors.pairs(model)
        self._nodes: list[onnx.NodeProto] = []
        self._new: dict[str, onnx.TensorProto] = {}
        self._restored: set[str] = set()

    def quantized(self) -> onnx.ModelProto:
        for value in self._model.graph.input:
            self._pairs_of(value.name)
        for node in self._model.graph.node:
            self._layer(node)
        replace_nodes(self._model, self._nodes)
        used = {name for node in self._nodes for name in node.input}
        kept = [tensor for tensor in self._model.graph.initializer if tensor.name in used]
        del self._model.graph.initializer[:]
        self._model.graph.initializer.extend([*kept, *self._new.values()])
        if any(node.domain == _MICROSOFT for node in self._nodes):
            self._model.opset_import.append(onnx.helper.make_opsetid(_MICROSOFT, 1))
        return self._model

    def _layer(self, node: onnx.NodeProto) -> None:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for index, name in enumerate(node.input):
            pair = self._tensors.read(node, index)
            copy.input[index] = self._raw(name) if pair is None else self._seen(pair)
        kind = self._types[node.name]
        weighted = node.op_type in WEIGHTED and len(node.input) > 1
        if weighted and node.input[1] in self._constants:
            self._weights(node, copy)
        if kind.inputs not in ("", FLOAT):
            self._constant_inputs(node, copy, kind.inputs)
        copy.output[:] = [self._raw(name) for name in node.output]
        self._nodes.append(copy)
        for name in node.output:
            self._pairs_of(name)

    def _weights(self, node: onnx.NodeProto, copy: onnx.NodeProto) -> None:
        """Quantize weights, and a bias where the scale of the layer's sums is known."""
        kind = self._types[node.name]
        pair = self._tensors.read(node, 0)
        if FLOAT in (kind.inputs, kind.weights) or pair is None:
            return
        input_scale = float(self._scale(pair).scale)
        bias = None
        if len(node.input) > _BIAS and self._settings.bias != FLOAT:
            bias = self._constants.get(node.input[_BIAS])
        if bias is not None and (bias.ndim != 1 or (node.op_type == "Gemm" and bias.size == 1)):
            bias = None  # one value for many channels
        weights = quantized_weights(
            node,
            self._constants[node.input[1]],
            threshold=self._settings.threshold,
            bias=bias,
            input_scale=input_scale,
        )
        axis = weights.axis
        scales = weights.scales if axis is not None else weights.scales.reshape(())
        copy.input[1] = self._restore(f"{node.name}_weights", weights.values, scales, axis)
        if bias is not None:
            scales = (np.float32(input_scale) * weights.scales).astype(np.float32)
            wide = np.broadcast_to(scales, bias.shape).copy()
            copy.input[_BIAS] = self._restore(
                f"{node.name}_bias", quantized_bias(bias, wide), wide, 0
            )

    def _constant_inputs(self, node: onnx.NodeProto, copy: onnx.NodeProto, kind: str) -> None:
        """Quantize what else is constant, as activations are."""
        for index in data_inputs(node):
            array = self._constants.get(node.input[index])
            weights = node.op_type in WEIGHTED and index == 1
            if array is None or weights or array.dtype != np.float32 or array.size == 0:
                continue
            scale = scale_of(float(array.min()), float(array.max()), kind)
            name = f"{node.input[index]}_{kind}"
            copy.input[index] = self._restore(
                name, integers(array, scale), np.array(scale.scale), None, scale.zero_point
            )

    def _restore(
        self,
        name: str,
        values: NDArray[np.generic],
        scales: NDArray[np.float32],
        axis: int | None,
        zero: NDArray[np.generic] | None = None,
    ) -> str:
        """Make floats of constant integers again; give their name."""
        made = f"{name}_DequantizeLinear_Output"
        if made in self._restored:
            return made
        self._restored.add(made)
        if zero is None:
            zero = np.zeros(scales.shape, values.dtype)
        names = [f"{name}_quantized", f"{name}_scale", f"{name}_zero_point"]
        for each, array in zip(names, (values, scales, zero), strict=True):
            self._new[each] = onnx.numpy_helper.from_array(array, each)
        wide = values.dtype in (np.uint16, np.int16)
        attributes = {} if axis is None else {"axis": axis}
        self._nodes.append(
            onnx.helper.make_node(
                "DequantizeLinear", names, [made], name=f"{name}_DequantizeLinear",
                domain=_MICROSOFT if wide else "", **attributes,
            )
        )  # fmt: skip
        return made

    def _pairs_of(self, name: str) -> None:
        """Put the pairs of a tensor behind its maker, its own first."""
        found = [pair for pair in self._pairs if pair.tensor == name]
        for pair in sorted(found, key=lambda pair: pair != self._tensors.own.get(name)):
            own = self._tensors.own.get(name)
            start = self._raw(name) if own in (None, pair) else self._seen(own)
            self._pair(pair, start)

    def _pair(self, pair: Pair, start: str) -> None:
        scale = self._scale(pair)
        stem = self._stem(pair)
        constants = [f"{stem}_scale", f"{stem}_zero_point"]
        arrays = (np.array(scale.scale), scale.zero_point)
        for each, array in zip(constants, arrays, strict=True):
            self._new[each] = onnx.numpy_helper.from_array(array, each)
        inner = f"{stem}_QuantizeLinear_Output"
        domain = _MICROSOFT if pair.kind in SIXTEEN_BITS else ""
        for op_type, before, after in (
            ("QuantizeLinear", start, inner),
            ("DequantizeLinear", inner, self._seen(pair)),
        ):
            self._nodes.append(
                onnx.helper.make_node(
                    op_type, [before, *constants], [after], name=f"{stem}_{op_type}", domain=domain
                )
            )

    def _scale(self, pair: Pair) -> Scale:
        low, high = self._ranges[pair.like, pair.kind]
        try:
            return scale_of(low, high, pair.kind)
        except AssertionError as error:
            raise AssertionError(f"[{pair.like}]: {error}") from error

    def _stem(self, pair: Pair) -> str:
        own = pair == self._tensors.own.get(pair.tensor)
        return pair.tensor if own else f"{pair.tensor}_{pair.kind}"

    def _seen(self, pair: Pair) -> str:
        """Give what the readers of a pair read."""
        own = pair == self._tensors.own.get(pair.tensor)
        if own and pair.tensor in self._outputs:
            return pair.tensor
        return f"{self._stem(pair)}_DequantizeLinear_Output"

    def _raw(self, name: str) -> str:
        """Give the tensor as its maker makes it."""
        renamed = name in self._outputs and name in self._tensors.own
        return f"{name}_QuantizeLinear_Input" if renamed else name
