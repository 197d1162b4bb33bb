"""What a build says on its way, in the order and wording of the vendor's log."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx

from . import console
from .calibration import Source
from .config import without_effect
from .model import Tensor, op_counts
from .plan import InputProcessing
from .runtime_graph import runtime_input, steps
from .schema import Json
from .toolversion import ToolVersion

_BEFORE_CALIBRATION = (
    "AX Set Float Op Table Pass", "AX Set MixPrecision Pass", "AX Set LN Quant dtype Quant Pass",
    "AX Reset Mul Config Pass", "AX Refine Operation Config Pass", "AX Tanh Operation Format Pass",
    "AX Confused Op Refine Pass", "AX Quantization Fusion Pass", "AX Quantization Simplify Pass",
    "AX Parameter Quantization Pass", "AX Runtime Calibration Pass",
)  # fmt: skip
_AFTER_CALIBRATION = (
    "AX Quantization Alignment Pass", "AX Refine Int Parameter Pass", "AX Refine Scale Pass",
    "AX Passive Parameter Quantization", "AX Parameter Baking Pass",
)  # fmt: skip
_PAIRS = ("QuantizeLinear", "DequantizeLinear")


def simulation(config: Mapping[str, Json], version: ToolVersion) -> None:
    """Say first of all that this is no NPU compiler, and which settings it does not use."""
    console.log(
        "WARNING",
        "pulsar2_sim.build:build:1",
        f"SIMULATION of Pulsar2 {version.version}: true INT8 arithmetic, no NPU code; the axmodel "
        "runs on simulated boards only",
    )
    ignored = without_effect(config)
    if ignored:
        message = f"the simulation does not use {', '.join(ignored)}"
        console.log("WARNING", "pulsar2_sim.build:build:2", message)


def processors(processing: Mapping[str, InputProcessing], plain_outputs: Sequence[str]) -> None:
    """Say what the processors of the config come to."""
    place = "yamain.command.build:fill_default"
    if plain_outputs:
        message = f"apply default output processor configuration to {list(plain_outputs)}"
        console.log("WARNING", f"{place}:302", message)
    for name, each in processing.items():
        reason = "src_format is AutoColorSpace or src_format and tensor_format are the same"
        if each.src_format not in ("AutoColorSpace", each.tensor_format):
            reason = (
                f"the csc of [{name}] does not include {each.src_format}2{each.tensor_format}, "
                "no conversion is performed"
            )
        console.log("WARNING", f"{place}:382", f"ignore input csc config because of {reason}")


def extraction(archive: Path, folder: Path) -> None:
    """Say that an archive is unpacked."""
    message = f"extract [{archive}] to [{folder}]..."
    console.log("INFO", "yamain.common.util:extract_archive:140", message)


def model(float_model: onnx.ModelProto, inputs: Sequence[Tensor]) -> None:
    """Show the table of the model's inputs, outputs and op types."""
    rows = [(f"IN: {tensor.name}", f"{tensor.dtype.name}: {tensor.shape}") for tensor in inputs]
    for value in float_model.graph.output:
        kind = value.type.tensor_type
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name
        shape = tuple(dim.dim_value for dim in kind.shape.dim)
        rows.append((f"OUT: {value.name}", f"{dtype}: {shape}"))
    opset = max(entry.version for entry in float_model.opset_import)
    info = f"Op Set: {opset} / IR Version: {float_model.ir_version}"
    console.say(console.op_table(info, rows, op_counts(float_model), float_model.ByteSize()))


def quant_config(sources: Sequence[Source], dataset: Path, transformer_opt_level: int) -> None:
    """Show the Quant Config Table."""
    rows = [
        (
            source.tensor.name,
            str(list(source.tensor.shape)),
            str(dataset / source.tensor.name),
            source.calibration.data_format,
            source.processing.tensor_format,
            str(list(source.calibration.mean)),
            str(list(source.calibration.std)),
        )
        for source in sources
    ]
    console.say(console.quant_table(rows))
    console.say(f"Transformer optimize level: {transformer_opt_level}")


def passes_before_calibration(version: ToolVersion) -> None:
    """Name the passes."""
    for _ in console.progress(("Inf",), version.wording.statistics):
        pass
    for name in _BEFORE_CALIBRATION:
        console.step(name)


def layer_configs(remarks: Sequence[str]) -> None:
    """Say which settings of single layers have no effect."""
    for remark in remarks:
        console.log("WARNING", "pulsar2_sim.layer_types:layer_types:1", remark)


def passes_after_calibration() -> None:
    """Name the passes."""
    for name in _AFTER_CALIBRATION:
        console.step(name)


def snapshot(quantized: onnx.ModelProto) -> None:
    """Show counts of the quantized model, true ones."""
    made = {name: node for node in quantized.graph.node for name in node.output}
    ops = [node for node in quantized.graph.node if node.op_type not in _PAIRS]
    int8 = [
        node
        for node in ops
        if any(name in made and made[name].op_type == _PAIRS[1] for name in node.input)
    ]
    pairs = [node for node in quantized.graph.node if node.op_type == _PAIRS[1]]
    baked = [node for node in pairs if node.input[0] not in made]
    rows = (
        ("Num of Op", len(ops)),
        ("Num of Quantized Op", len(int8)),
        ("Num of Variable", len(made)),
        ("Num of Quantized Var", len(pairs)),
    )
    console.say("--------- Network Snapshot ---------")
    for label, count in rows:
        console.say(f"{label + ':':<30}[{count}]")
    console.say("------- Quantization Snapshot ------")
    for label, count in (
        ("Num of Quant Config", len(pairs)),
        ("BAKED", len(baked)),
        ("ACTIVATED", len(pairs) - len(baked)),
        ("FP32", len(ops) - len(int8)),
    ):
        console.say(f"{label + ':':<30}[{count}]")
    console.say("Network Quantization Finished.")
    console.say("Do quant optimization")


def processing(
    inputs: Sequence[Tensor], processors: Mapping[str, InputProcessing], outputs: Sequence[str]
) -> None:
    """Say what is put before and after the model."""
    place = "yamain.command.load_model"
    for tensor in inputs:
        each = processors[tensor.name]
        at_run_time = runtime_input(tensor, each)
        console.log("WARNING", f"{place}:pre_process:615", f"preprocess tensor [{tensor.name}]")
        message = f"tensor: {tensor.name}, {at_run_time.shape}, {each.src_dtype}"
        console.log("INFO", f"{place}:pre_process:617", message)
        for number, op_type in enumerate(steps(tensor, each), start=1):
            console.log("INFO", f"{place}:pre_process:618", f"op: op:pre_{number}, {op_type}")
    for name in outputs:
        console.log("WARNING", f"{place}:post_process:626", f"postprocess tensor [{name}]")
