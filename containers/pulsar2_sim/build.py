"""`pulsar2 build`: from a float ONNX file and calibration archives to an axmodel."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx

from . import announce, console
from .archive import extract
from .assemble import (
    compile_graph,
    compiler_folder,
    export_quantized,
    write_compiled,
    write_context,
)
from .axmodel import as_bytes
from .calibration import Samples, Source, choose
from .compiler_check import (
    check_compiled,
    check_front_end,
    check_settings,
    wants_front_end_check,
)
from .failure import ErrorCode, failing_as
from .faults import Fault, chosen, strike
from .frontend import optimize
from .margins import check_margins
from .model import (
    Tensor,
    check_operators,
    graph_inputs,
    load_model,
    set_input_shapes,
    tensors,
)
from .npu_profile import profile, wants_profile, write_profile
from .patches import patch_constants, patch_operators
from .plan import (
    Calibration,
    InputProcessing,
    Plan,
    calibrations,
    input_processing,
    make_plan,
    output_processing,
)
from .precision_report import analyse_precision
from .quantization import quantized_model
from .runtime_graph import runtime_graph
from .schema import Json
from .toolversion import ToolVersion


def build(config: Mapping[str, Json], version: ToolVersion) -> None:
    """Build what a checked config asks for. Raises ToolFailure, CodeException."""
    announce.simulation(config, version)
    fault = chosen()
    plan = make_plan(config, version)
    checking = check_settings(config)
    model = load_model(plan.model)
    set_input_shapes(model, plan.input_shapes)
    patch_constants(model, config)
    model = patch_operators(model, config, "op_processors")
    inputs = tensors(graph_inputs(model))
    calibration = calibrations(config, tuple(tensor.name for tensor in inputs))
    processing = input_processing(config, calibration)
    outputs = tuple(value.name for value in model.graph.output)
    for tensor in inputs:
        check_margins(tensor.name, tensor.shape, processing[tensor.name].margins)
    after = output_processing(config, outputs)
    announce.processors(processing, outputs if not after else ())
    sources = _sources(plan, inputs, calibration, processing)
    if version.wording.op_table:
        announce.model(model, inputs)
    check_operators(model, version)
    strike(fault, "parse")
    console.say(f"{len(sources[0].files)} File(s) Loaded.")
    optimized = _front_end(plan, model)
    quantized = _quantize(plan, _patched(optimized, config), sources, version, fault)
    samples = Samples(sources)
    if wants_front_end_check(config):
        check_front_end(optimized, model, samples[0])
    analyse_precision(plan, config, optimized, quantized, samples)
    runtime = runtime_graph(quantized, processing, after)
    announce.processing(inputs, processing, outputs)
    compiled = compile_graph(plan, optimized, runtime, processing, version, fault)
    if wants_profile(config):
        write_profile(profile(optimized, plan.npu_mode), compiler_folder(plan))
    check_compiled(checking, compiled, runtime, samples[0])
    write_context(plan, config, version)
    write_compiled(plan, compiled, fault)


def _sources(
    plan: Plan,
    inputs: Sequence[Tensor],
    calibration: Mapping[str, Calibration],
    processing: Mapping[str, InputProcessing],
) -> list[Source]:
    """Unpack the calibration data of every input and choose its files."""
    sources = []
    with failing_as(ErrorCode.QuantError):
        for tensor in inputs:
            data = calibration[tensor.name]
            files = choose(_extract(plan, tensor.name, data.archive), data.size)
            sources.append(Source(tensor, data, processing[tensor.name], files))
    return sources


def _extract(plan: Plan, name: str, archive: Path) -> list[Path]:
    folder = plan.work_dir / "quant" / "dataset" / name
    announce.extraction(archive, folder)
    return extract(archive, folder)


def _front_end(plan: Plan, model: onnx.ModelProto) -> onnx.ModelProto:
    with failing_as(ErrorCode.OnnxOptimizationError):
        optimized = optimize(model)
    console.finished("Building onnx")
    path = _optimized_path(plan)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(as_bytes(optimized))
    console.log("INFO", "yamain.command.build:quant:806", f"save optimized onnx to [{path}]")
    return optimized


def _patched(optimized: onnx.ModelProto, config: Mapping[str, Json]) -> onnx.ModelProto:
    """Give the copy that is quantized; the float model is left as it is."""
    copy = onnx.ModelProto()
    copy.CopyFrom(optimized)
    return patch_operators(copy, config, "quant_op_processors")


def _quantize(
    plan: Plan,
    optimized: onnx.ModelProto,
    sources: Sequence[Source],
    version: ToolVersion,
    fault: Fault,
) -> onnx.ModelProto:
    level = plan.quant.transformer_opt_level
    announce.quant_config(sources, plan.work_dir / "quant" / "dataset", level)
    with failing_as(ErrorCode.QuantError), tempfile.TemporaryDirectory() as scratch:
        samples = Samples(sources)
        console.say(f"{len(samples)} File(s) Loaded.")
        announce.passes_before_calibration(version)
        strike(fault, "quantize")
        quantized = quantized_model(optimized, samples, plan.quant, Path(scratch))
        announce.passes_after_calibration()
        announce.snapshot(quantized)
        export_quantized(plan, quantized, samples[0], version)
    return quantized


def _optimized_path(plan: Plan) -> Path:
    return plan.work_dir / "frontend" / "optimized.onnx"
