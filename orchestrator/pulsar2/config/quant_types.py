"""The part of the build config that says how a model is quantized; see config_types."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.pulsar2.config.values import (
    AnalysisMethod,
    AnalysisMode,
    BiasType,
    CalibrationFormat,
    CalibrationMethod,
    Count,
    CountOrAll,
    Device,
    Floats,
    LayerType,
    Level1,
    Level2,
    Positive,
    Positives,
    ScaleType,
    Share,
    Texts,
    Threshold,
    WeightType,
)


@dataclass(frozen=True, slots=True)
class InputQuantConfig:
    """What one input is calibrated with.

    Attributes:
        tensor_name: an input of the model; `DEFAULT` means all.
        calibration_dataset: a tar, tar.gz or zip.
        calibration_format: Image by default; the others are taken as they are, mean and std are
            not applied to them.
        calibration_size: 32 by default; -1 takes all there is.
        calibration_mean: also what the compiled model subtracts, unless its processor says else.
    """

    tensor_name: str
    calibration_dataset: str
    calibration_format: CalibrationFormat | None = None
    calibration_size: CountOrAll | None = None
    calibration_mean: Floats = ()
    calibration_std: Positives = ()


@dataclass(frozen=True, slots=True)
class LayerConfig:
    """The precision of some operators, chosen in exactly one way: by name, by type or as a part.

    Attributes:
        start_tensor_names: with `end_tensor_names`, a part of the graph; `DEFAULT` in both is all.
        data_type: U8 by default.
        output_data_type: of Conv; U8 by default.
        weight_data_type: S8 by default; of Conv; only S8 and FP32 are documented.
    """

    layer_name: str | None = None
    op_type: str | None = None
    layer_names: Texts = ()
    op_types: Texts = ()
    start_tensor_names: Texts = ()
    end_tensor_names: Texts = ()
    data_type: LayerType | None = None
    output_data_type: LayerType | None = None
    weight_data_type: WeightType | None = None


@dataclass(frozen=True, slots=True)
class QuantConfig:
    """How the model is quantized; switches are off by default.

    Attributes:
        calibration_method: MinMax by default.
        precision_analysis_method: PerLayer by default: each layer is fed the float model's values.
        precision_analysis_mode: Reference by default; NPUBackend is exact and takes models of one
            NPU subgraph only.
        input_sample_dir: inputs for the analysis; without it, the calibration's.
        conv_bias_data_type: S32 by default.
        ln_scale_data_type: FP32 by default.
        refine_weight_threshold: 1e-6 by default; 0, or less than 0.0001; -1 switches it off.
        smooth_quant_threshold: more operators take part the larger it is.
        check: 1 checks the types of all nodes; 0 by default.
        finetune_epochs: 500 by default.
        finetune_block_size: 4 by default.
        finetune_batch_size: 1 by default.
        finetune_lr: 0.001 by default.
        device: cpu by default; `cuda:N` needs the full image.
    """

    input_configs: tuple[InputQuantConfig, ...] = ()
    layer_configs: tuple[LayerConfig, ...] = ()
    calibration_method: CalibrationMethod | None = None
    precision_analysis: bool | None = None
    precision_analysis_method: AnalysisMethod | None = None
    precision_analysis_mode: AnalysisMode | None = None
    input_sample_dir: str | None = None
    highest_mix_precision: bool | None = None
    conv_bias_data_type: BiasType | None = None
    ln_scale_data_type: ScaleType | None = None
    refine_weight_threshold: Threshold | None = None
    enable_smooth_quant: bool | None = None
    smooth_quant_threshold: Share | None = None
    smooth_quant_strength: float | None = None
    transformer_opt_level: Level2 | None = None
    check: Level1 | None = None
    disable_auto_refine_scale: bool | None = None
    enable_easy_quant: bool | None = None
    disable_quant_optimization: bool | None = None
    enable_brecq: bool | None = None
    enable_lsq: bool | None = None
    enable_adaround: bool | None = None
    finetune_epochs: Count | None = None
    finetune_block_size: Count | None = None
    finetune_batch_size: Count | None = None
    finetune_lr: Positive | None = None
    device: Device | None = None
