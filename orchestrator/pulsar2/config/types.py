"""The whole build config of Pulsar2 as values.

Source: Pulsar2 documentation, "Configuration file details" (the protobuf definition and the
comments of the JSON reference, 7.0), with the keys of older versions back to 1.9. The names are
the vendor's, its spelling mistakes too. `None` and `()` are a key that is left out: the toolchain
then takes its own default. Where its prose names more than its protobuf definition, the prose is
followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrator.domain import Json
from orchestrator.pulsar2.config.quant_types import InputQuantConfig, LayerConfig, QuantConfig
from orchestrator.pulsar2.config.values import (
    Axes,
    CheckMode,
    Cosine,
    CountOrNone,
    Counts,
    CscMode,
    Floats,
    Hardware,
    InputShapes,
    Layout,
    Level3,
    MatchMode,
    Matrix,
    ModelType,
    NotNegative,
    NpuMode,
    OutputType,
    Pairs,
    Positives,
    Schedule,
    SourceFormat,
    SourceType,
    TensorFormat,
    Texts,
)

__all__ = [
    "BuildConfig",
    "CompilerConfig",
    "ConstProcessor",
    "DebugConfig",
    "Graph",
    "InputProcessor",
    "InputQuantConfig",
    "LayerConfig",
    "Node",
    "OnnxOptimizeOption",
    "OpProcessor",
    "OutputProcessor",
    "QuantConfig",
    "Shape",
]


@dataclass(frozen=True, slots=True)
class Shape:
    """The lengths of all axes."""

    shape: Counts = ()


@dataclass(frozen=True, slots=True)
class OnnxOptimizeOption:
    """What is done to the float graph; all are off by default.

    Attributes:
        enable_onnxsim: simplify; from 4.1 on the tool behind it is onnxslim.
        model_check: compare the graph after optimization with the one before.
        disable_transformation_check: leave out the comparison after each single step.
        ir_transformation_check: only before 2.3.
    """

    disable_onnx_optimization: bool | None = None
    enable_onnxsim: bool | None = None
    model_check: bool | None = None
    disable_transformation_check: bool | None = None
    save_tensors_data: bool | None = None
    ir_transformation_check: bool | None = None


@dataclass(frozen=True, slots=True)
class InputProcessor:
    """What the compiled model does to one input: `tensor_` its own side, `src_` the caller's.

    Attributes:
        tensor_name: an input of the model; `DEFAULT` means all.
        src_layout: NHWC whatever it says when `src_format` is a YUV.
        src_dtype: FP32 by default.
        src_extra_shapes: more sizes to compile for; every input must have as many.
        csc_mat: 3x4, row by row, for `csc_mode` Matrix.
        mean: the calibration's by default; so is `std`.
        padding: pairs of start and end per axis; so is `slicing`.
    """

    tensor_name: str
    tensor_format: TensorFormat | None = None
    tensor_layout: Layout | None = None
    src_format: SourceFormat | None = None
    src_layout: Layout | None = None
    src_dtype: SourceType | None = None
    src_extra_shapes: tuple[Shape, ...] = ()
    csc_mode: CscMode | None = None
    csc_mat: Matrix = ()
    mean: Floats = ()
    std: Positives = ()
    padding: Pairs = ()
    padding_mode: Literal["constant"] | None = None
    padding_constant_value: int | None = None
    slicing: Pairs = ()


@dataclass(frozen=True, slots=True)
class OutputProcessor:
    """What the compiled model does to one output (`DEFAULT`: to all); FP32 by default."""

    tensor_name: str
    tensor_layout: Layout | None = None
    dst_perm: Axes = ()
    output_dtype: OutputType | None = None


@dataclass(frozen=True, slots=True)
class ConstProcessor:
    """New values for a constant; `data_path` is a .bin, .npy or .txt file."""

    name: str
    data: Floats = ()
    data_path: str | None = None


@dataclass(frozen=True, slots=True)
class OpProcessor:
    """New attributes for an operator."""

    op_name: str
    attrs: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Node:
    """An operator to look for; `properties` are its attributes."""

    types: Texts = ()
    inputs: Texts = ()
    outputs: Texts = ()
    properties: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    """Operators to compile as one group."""

    nodes: tuple[Node, ...] = ()
    type: Schedule | None = None
    match_mode: MatchMode | None = None


@dataclass(frozen=True, slots=True)
class CompilerConfig:
    """How the quantized model is compiled; switches are off by default.

    Attributes:
        max_dynamic_batch_size: 0, none, by default.
        ddr_bw_limit: GB; 0, none, by default.
        check: 0 nothing, 1 all close, 2 all equal, 3 cosine; 0 by default.
        check_mode: CheckOutput by default.
        check_rtol: 1e-5 by default.
        check_atol: 0 by default.
        check_cosine_simularity: 0.999 by default.
        check_tensor_black_list: regular expressions.
        input_sample_dir: inputs for the check, as the compiled model takes them.
        start_tensor_names: where a sub config begins; only there, as `end_tensor_names`.
        debug: only before 3.2.
    """

    static_batch_sizes: Counts = ()
    max_dynamic_batch_size: CountOrNone | None = None
    ddr_bw_limit: NotNegative | None = None
    disable_ir_fix: bool | None = None
    check: Level3 | None = None
    npu_perf: bool | None = None
    check_mode: CheckMode | None = None
    check_rtol: NotNegative | None = None
    check_atol: NotNegative | None = None
    check_cosine_simularity: Cosine | None = None
    check_tensor_black_list: Texts = ()
    input_sample_dir: str | None = None
    enable_slice_mode: bool | None = None
    enable_tile_mode: bool | None = None
    enable_data_soft_compression: bool | None = None
    compiler_group_patterns: tuple[Graph, ...] = ()
    sub_configs: tuple[CompilerConfig, ...] = ()
    start_tensor_names: Texts = ()
    end_tensor_names: Texts = ()
    debug: int | None = None


@dataclass(frozen=True, slots=True)
class DebugConfig:
    """In no reference, but in published configs and on the command line.

    Attributes:
        dump_frontend_graph: keep the optimized graph, whose tensor names sub configs need.
    """

    dump_frontend_graph: bool | None = None


@dataclass(frozen=True, slots=True)
class BuildConfig:
    """One `pulsar2 build`.

    Attributes:
        output_name: compiled.axmodel by default.
        work_dir: `output_dir` by default.
        target_hardware: AX650 by default.
        npu_mode: NPU1 by default.
        input_shapes: `input1:1x3x224x224;input2:1x1x112x112`.
    """

    input: str | None = None
    output_dir: str | None = None
    output_name: str | None = None
    work_dir: str | None = None
    model_type: ModelType | None = None
    target_hardware: Hardware | None = None
    npu_mode: NpuMode | None = None
    input_shapes: InputShapes | None = None
    onnx_opt: OnnxOptimizeOption | None = None
    quant: QuantConfig | None = None
    input_processors: tuple[InputProcessor, ...] = ()
    output_processors: tuple[OutputProcessor, ...] = ()
    const_processors: tuple[ConstProcessor, ...] = ()
    op_processors: tuple[OpProcessor, ...] = ()
    quant_op_processors: tuple[OpProcessor, ...] = ()
    compiler: CompilerConfig | None = None
    debug: DebugConfig | None = None
