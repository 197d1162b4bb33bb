"""Static INT8 quantization: U8 activations, S8 weights per channel, as QuantizeLinear pairs."""

import logging

import onnx
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from .attention import scores_in_float
from .frontend import gelu_nodes

#: What onnxruntime has INT8 kernels for and what SegFormer's accuracy bears. ArgMax reads U8, as
#: on the NPU. Normalizations, GELU and Softmax stay in float.
OP_TYPES = (
    "Add", "ArgMax", "AveragePool", "Concat", "Conv", "ConvTranspose", "Flatten", "Gather", "Gemm",
    "GlobalAveragePool", "LeakyRelu", "MatMul", "MaxPool", "Mul", "Relu", "Reshape", "Resize",
    "Sigmoid", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze",
)  # fmt: skip


def quantize(model: onnx.ModelProto, ranges: TensorsData) -> onnx.ModelProto:
    """Give the quantized copy of a float model; inputs and outputs stay as they are."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    quantizer = QDQQuantizer(
        copy,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=ranges,
        nodes_to_quantize=[],
        nodes_to_exclude=gelu_nodes(model),
        op_types_to_quantize=list(OP_TYPES),
        extra_options={},
    )
    logging.disable(logging.WARNING)  # it warns through the root logger of each float tensor
    try:
        quantizer.quantize_model()
    finally:
        logging.disable(logging.NOTSET)
    quantized = quantizer.model.model
    scores_in_float(quantized)
    return quantized
