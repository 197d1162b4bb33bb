"""`pulsar2 build`: from a float ONNX file and calibration archives to an axmodel."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx

from . import announce, console
from .archive import extract
from .assemble import compile_graph, export_quantized
from .axmodel import as_bytes
from .calibration import Samples, Source, choose
from .failure import ErrorCode, failing_as
from .faults import chosen
from .frontend import optimize
from .model import (
    check_operators,
    graph_inputs,
    load_model,
    set_input_shapes,
    tensors,
)
from .observe import observe
from .plan import Plan, calibrations, input_processing, make_plan, output_permutations
from .quantize import OP_TYPES, quantize
from .runtime_graph import runtime_graph
from .schema import Json
from .toolversion import ToolVersion


def build(config: Mapping[str, Json], version: ToolVersion) -> None:
    """Build what a checked config asks for. Raises ToolFailure, CodeException."""
    announce.simulation(config, version)
    fault = chosen()
    plan = make_plan(config, version)
    model = load_model(plan.model)
    set_input_shapes(model, plan.input_shapes)
    inputs = tensors(graph_inputs(model))
    calibration = calibrations(config, tuple(tensor.name for tensor in inputs))
    processing = input_processing(config, calibration)
    outputs = tuple(value.name for value in model.graph.output)
    permutations = output_permutations(config, outputs)
    announce.processors(processing, outputs if not permutations else ())
    with failing_as(ErrorCode.QuantError):
        sources = [
            Source(
                tensor,
                data,
                processing[tensor.name],
                choose(_extract(plan, tensor.name, data.archive), data.size),
            )
            for tensor in inputs
            for data in (calibration[tensor.name],)
        ]
    announce.model(model, inputs)
    check_operators(model, version)
    console.say(f"{len(sources[0].files)} File(s) Loaded.")
    optimized = _front_end(plan, model)
    quantized = _quantize(plan, optimized, sources)
    runtime = runtime_graph(quantized, processing, permutations)
    announce.processing(inputs, processing, outputs)
    compile_graph(plan, optimized, runtime, processing, version, fault)


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


def _quantize(plan: Plan, optimized: onnx.ModelProto, sources: Sequence[Source]) -> onnx.ModelProto:
    announce.quant_config(sources, plan.work_dir / "quant" / "dataset")
    with failing_as(ErrorCode.QuantError), tempfile.TemporaryDirectory() as scratch:
        samples = Samples(sources)
        console.say(f"{len(samples)} File(s) Loaded.")
        announce.passes_before_calibration()
        ranges = observe(_optimized_path(plan), OP_TYPES, samples, plan.method, Path(scratch))
        announce.passes_after_calibration()
        quantized = quantize(optimized, ranges)
        announce.snapshot(quantized)
        export_quantized(plan, quantized, samples[0])
    return quantized


def _optimized_path(plan: Plan) -> Path:
    return plan.work_dir / "frontend" / "optimized.onnx"
