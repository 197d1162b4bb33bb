"""From a rewritten float model and calibration samples to its quantized form."""

from collections.abc import Sequence
from pathlib import Path

import onnx

from . import announce
from .absorb import absorb_activations
from .layer_types import layer_types
from .observe import Sample, observe
from .quant_settings import QuantSettings
from .quantize import quantize
from .smooth_quant import smooth
from .tensor_types import TensorTypes


def quantized_model(
    model: onnx.ModelProto, samples: Sequence[Sample], settings: QuantSettings, scratch: Path
) -> onnx.ModelProto:
    """Quantize as the settings say; `scratch` is a folder for what is only needed meanwhile."""
    found = layer_types(
        model,
        settings.layer_configs,
        activations=settings.activations,
        transformer_opt_level=settings.transformer_opt_level,
    )
    announce.layer_configs(found.remarks)
    types = found.by_name
    if settings.smooth_quant is not None:
        smoothed = smooth(model, types, samples, settings.smooth_quant, scratch)
        model, types = smoothed.model, smoothed.types
    absorbed = absorb_activations(model, types)
    pairs = TensorTypes(absorbed, types).pairs(absorbed)
    ranges = observe(model, pairs, samples, settings.method, scratch)
    return quantize(absorbed, types, ranges, settings.weights)
