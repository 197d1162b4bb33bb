"""How a model is to be quantized, as values: what a checked config's `quant` says."""

from collections.abc import Mapping
from dataclasses import dataclass

from .config import number, real, text
from .layer_configs import LayerConfig, layer_configs
from .quantize import WeightSettings
from .schema import Json
from .smooth_quant import SmoothQuant

_REFINE_WEIGHTS = 1e-6
_THRESHOLD, _STRENGTH = 0.2, 0.6


@dataclass(frozen=True, slots=True)
class QuantSettings:
    """What of `quant` changes the quantized model; `smooth_quant` None is none."""

    method: str
    activations: str
    layer_configs: tuple[LayerConfig, ...]
    transformer_opt_level: int
    weights: WeightSettings
    smooth_quant: SmoothQuant | None


def quant_settings(config: Mapping[str, Json]) -> QuantSettings:
    """Give the settings of a checked config. Raises ToolFailure."""
    given = config.get("quant")
    quant = given if isinstance(given, dict) else {}
    smooth_quant = SmoothQuant(
        real(quant, "smooth_quant_threshold", _THRESHOLD),
        real(quant, "smooth_quant_strength", _STRENGTH),
    )
    return QuantSettings(
        method=text(quant, "calibration_method", "MinMax"),
        activations="U16" if quant.get("highest_mix_precision") else "U8",
        layer_configs=layer_configs(quant),
        transformer_opt_level=number(quant, "transformer_opt_level", 0),
        weights=WeightSettings(
            text(quant, "conv_bias_data_type", "S32").replace("DefaultDataType", "S32"),
            real(quant, "refine_weight_threshold", _REFINE_WEIGHTS),
        ),
        smooth_quant=smooth_quant if quant.get("enable_smooth_quant") else None,
    )
