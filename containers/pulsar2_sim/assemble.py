"""The last steps of a build: the files that it leaves, the axmodel last of all."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

from . import console
from .axmodel import NEU_KEY, SUBGRAPH, Target, as_bytes, axmodel
from .failure import CodeException, ErrorCode, failing_as
from .faults import Fault, TileFailException, miscompiled, strike
from .golden import export_golden
from .licence import check_licence
from .macs import cycles, macs
from .plan import InputProcessing, Plan
from .schema import Json
from .stepping import Tensors
from .toolversion import ToolVersion

_BARS = (
    "tiling op...", "build op serially...", "build op...", "add ddr swap...",
    "calc input dependencies...", "calc output dependencies...", "assign eu heuristic",
    "assign eu onepass", "assign eu greedy",
)  # fmt: skip
_BUILD = "yamain.command.build"
_COMPILE = f"{_BUILD}:compile_ptq_model"


def export_quantized(
    plan: Plan, quantized: onnx.ModelProto, sample: Tensors, version: ToolVersion
) -> None:
    """Write the quantized model, its settings as JSON, and golden data for debugging."""
    folder = plan.work_dir / "quant"
    path = folder / "quant_axmodel.onnx"
    if path.exists():
        console.say(f"[Warning]File {path} has already exist, quant exporter will overwrite it.")
    path.write_bytes(as_bytes(quantized))
    write_json(folder / "quant_axmodel.json", _tensor_configs(quantized))
    console.say(f"quant.axmodel export success: \n\t{path.absolute()}")
    export_golden(quantized, sample, folder / "debug", version)
    console.finished("Building native")


def compile_graph(
    plan: Plan,
    optimized: onnx.ModelProto,
    runtime: onnx.ModelProto,
    processing: Mapping[str, InputProcessing],
    version: ToolVersion,
    fault: Fault,
) -> onnx.ModelProto:
    """Give the axmodel. Raises CodeException when a fault asks for it."""
    count = macs(optimized)
    console.log("INFO", f"{_COMPILE}:1102", "group 0 compiler transformation")
    console.log("INFO", f"{_COMPILE}:1123", f"group 0 QuantAxModel macs: {count:,}")
    console.log("INFO", f"{_COMPILE}:1255", "subgraph [0], group: 0, type: GraphType.NPU")
    compiler = "yamain.command.npu_backend_compiler:compile:173"
    console.log("INFO", compiler, "compile npu subgraph [0]")
    check_back_end(optimized, plan.target_hardware, version)
    strike(fault, "tile")
    for label in _BARS:
        console.counted(label, len(runtime.graph.node))
    scheduler = "yasched.test_onepass:results2model"
    console.log("INFO", f"{scheduler}:2699", "clear job deps")
    max_cycle = cycles(count, plan.npu_mode)
    console.log("INFO", f"{scheduler}:2700", f"max_cycle = {max_cycle:,}")
    assembling = version.wording.assemble.format(name=SUBGRAPH)
    console.log("INFO", f"{_BUILD}:compile_npu_subgraph:1332", assembling)
    check_licence()
    strike(fault, "assemble")
    with failing_as(ErrorCode.NPUBackendError):
        target = Target(plan.target_hardware, _header_mode(plan, version, fault))
        compiled = miscompiled(runtime) if fault is Fault.MISCOMPILE else runtime
        return axmodel(compiled, processing, target, version)


def check_back_end(model: onnx.ModelProto, hardware: str, version: ToolVersion) -> None:
    """Refuse what the front end takes and the chip has not. Raises CodeException."""
    for node in model.graph.node:
        if node.op_type in version.hardware[hardware].without:
            text = f"AxQuantized{node.op_type} dont support"
            failed = TileFailException(f"AxQuantized{node.op_type}, {text}\n    op: {node.name}")
            failed.__cause__ = AssertionError(text)
            raise CodeException(ErrorCode.NPUBackendError, failed)


def write_compiled(plan: Plan, compiled: onnx.ModelProto, fault: Fault) -> None:
    """Write the axmodel, and say that the build is done."""
    if fault is not Fault.NO_FILE:
        plan.output_dir.mkdir(parents=True, exist_ok=True)
        plan.axmodel.write_bytes(b"" if fault is Fault.EMPTY_FILE else as_bytes(compiled))
    if fault is not Fault.NO_LAST_LINE:
        console.log("INFO", f"{_COMPILE}:1365", "fuse 1 subgraph(s)")


def write_context(plan: Plan, config: Mapping[str, Json], version: ToolVersion) -> None:
    """Write what was asked for, as it was understood, and the folder of the compiler."""
    folder = compiler_folder(plan)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.txt").write_text(f"{NEU_KEY} is simulated: there is no NPU code\n")
    context = {
        "simulated": True,
        "version": version.version,
        "commit": version.commit,
        "config": config,
        "target_hardware": plan.target_hardware,
        "npu_mode": plan.npu_mode,
        "calibration_method": plan.quant.method,
        "output_name": plan.output_name,
    }
    write_json(plan.work_dir / "build_context.json", context)


def compiler_folder(plan: Plan) -> Path:
    """Say where the compiler leaves what it has to show of the one subgraph."""
    return plan.work_dir / "compiler" / "debug" / SUBGRAPH / "b1"


def _header_mode(plan: Plan, version: ToolVersion, fault: Fault) -> str:
    if fault is not Fault.WRONG_TARGET:
        return plan.npu_mode
    return next(mode for mode in version.npu_modes if mode != plan.npu_mode)


def _tensor_configs(quantized: onnx.ModelProto) -> Mapping[str, object]:
    """Give scale and zero point of every activation that is quantized."""
    constants = {tensor.name: tensor for tensor in quantized.graph.initializer}
    configs = {}
    for node in quantized.graph.node:
        if node.op_type == "QuantizeLinear" and node.input[1] in constants:
            scale, zero = (
                onnx.numpy_helper.to_array(constants[name]).reshape(-1).tolist()
                for name in node.input[1:3]
            )
            dtype = onnx.helper.tensor_dtype_to_np_dtype(constants[node.input[2]].data_type)
            limits = {
                "bit_width": 8 * dtype.itemsize,
                "quant_min": int(np.iinfo(dtype).min),
                "quant_max": int(np.iinfo(dtype).max),
            }
            configs[node.input[0]] = limits | {"scale": scale, "zero_point": zero}
    return {"tensor_configs": configs, "values": {}}


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write JSON whose bytes depend on the value only."""
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
