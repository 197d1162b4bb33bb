"""Weights and biases as integers: S8 per channel, S32."""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

#: Op types with weights as their second input, and a bias as their third if they have one.
WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_S8_MOST, _S32_MOST = 127, 2**31 - 1
_MATRIX = 2


@dataclass(frozen=True, slots=True)
class Weights:
    """Integers with their scales; `axis` is that of the channels, None is one scale for all."""

    values: NDArray[np.int8]
    scales: NDArray[np.float32]
    axis: int | None


def quantized_weights(
    node: onnx.NodeProto,
    weights: NDArray[np.generic],
    *,
    threshold: float,
    bias: NDArray[np.generic] | None = None,
    input_scale: float = 0.0,
) -> Weights:
    """Quantize the weights of one layer.

    Args:
        node: whose weights they are.
        weights: float, as the node takes them.
        threshold: no channel is scaled as if its largest weight were below this.
        bias: float, one value a channel, if it is to become S32.
        input_scale: scale of the layer's input, of which the bias's scale is made.
    """
    axis = _channel_axis(node, weights.ndim)
    rest = tuple(each for each in range(weights.ndim) if each != axis)
    largest = np.abs(weights.astype(np.float64)).max(axis=None if axis is None else rest)
    scales = np.maximum(np.atleast_1d(largest), max(threshold, 0.0)) / _S8_MOST
    if bias is not None and input_scale > 0:
        # A bias that does not fit into S32 widens the scale of its channel.
        needed = np.abs(bias.astype(np.float64)) / (_S32_MOST * input_scale)
        scales = np.maximum(scales, needed if axis is not None else needed.max())
    scales = np.where(scales > 0, scales, 1.0).astype(np.float32)
    shape = [1] * weights.ndim
    if axis is not None:
        shape[axis] = -1
    steps = np.rint(weights / scales.reshape(shape).astype(np.float64))
    return Weights(np.clip(steps, -_S8_MOST, _S8_MOST).astype(np.int8), scales, axis)


def quantized_bias(bias: NDArray[np.generic], scales: NDArray[np.float32]) -> NDArray[np.int32]:
    """Quantize a bias with the scales that its layer's sums have."""
    steps = np.rint(bias.astype(np.float64) / scales.astype(np.float64))
    return np.clip(steps, -_S32_MOST, _S32_MOST).astype(np.int32)


def _channel_axis(node: onnx.NodeProto, rank: int) -> int | None:
    attributes = {a.name: a.i for a in node.attribute}
    if node.op_type == "Conv":
        return 0
    if node.op_type == "ConvTranspose":
        return 1 if attributes.get("group", 1) == 1 else None
    if node.op_type == "Gemm":
        return 0 if attributes.get("transB", 0) else 1
    return 1 if rank == _MATRIX else None
