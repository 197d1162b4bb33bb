"""`pulsar2 run`: a model on the CPU, its inputs and outputs in `.bin` files."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from . import console
from .axmodel import embedded_graph
from .failure import ErrorCode, ToolFailure, failing_as
from .model import Tensor, graph_inputs, load_any, tensors
from .stepping import Array, computed_tensors
from .tensor_files import bin_path, collisions, random_array, read_bin, write_bin

#: Random inputs are the same in every run.
_SEED = 0


@dataclass(frozen=True, slots=True)
class Simulation:
    """What is to be run: every line of `list_file` names a folder below both others.

    Attributes:
        batch_size: how many samples each file of an axmodel holds; 0 is one. An axmodel is run once
            for each of them.
        per_layer: write every tensor in between as well.
    """

    model: Path
    input_dir: Path
    output_dir: Path
    list_file: Path | None
    random_input: bool
    batch_size: int = 0
    per_layer: bool = False


def run(simulation: Simulation) -> None:
    """Run a float or quantized ONNX file or a simulated axmodel. Raises ToolFailure."""
    lines = _lines(simulation)
    runnable, batches = _runnable(simulation)
    inputs = tensors(graph_inputs(runnable))
    _refuse_collisions(runnable, inputs)
    with failing_as(ErrorCode.FrontendError):
        session = fused_session(runnable.SerializeToString())
    console.finished("Building native")
    generator = np.random.default_rng(_SEED)
    for name in lines:
        source, target = simulation.input_dir / name, simulation.output_dir / name
        if simulation.random_input:
            _write_random(inputs, source, batches, generator)
        console.say(f">>> [{name or 0}] start")
        feeds = {tensor.name: read_bin(tensor, source, batches) for tensor in inputs}
        target.mkdir(parents=True, exist_ok=True)
        if simulation.per_layer:
            _write_layers(runnable, {key: array[0] for key, array in feeds.items()}, target)
        _write_outputs(session, feeds, batches, target)
        console.say(f">>> [{name or 0}] finish")


def fused_session(model: bytes) -> onnxruntime.InferenceSession:
    """Give a session with INT8 kernels, as a simulated board has it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Without VNNI, x64 kernels for U8 by S8 sum pairs in 16 bits, which overflow.
    options.add_session_config_entry("session.x64quantprecision", "1")
    # A product of 16-bit activations with S8 weights would round its activations to 8 bits.
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _runnable(simulation: Simulation) -> tuple[onnx.ModelProto, int]:
    """Give the graph to run, and how many samples a file holds."""
    model = load_any(simulation.model)
    vendors = sorted({node.op_type for node in model.graph.node if node.op_type.startswith("Ax")})
    if vendors:
        raise ToolFailure(
            "NotImplementedError",
            f"{simulation.model}: a QuantAxModel with {', '.join(vendors)}: the stand-in cannot "
            "run the vendor's operators",
        )
    try:
        graph = embedded_graph(model)
    except ValueError as error:
        raise ToolFailure("ValueError", f"{simulation.model}: {error}") from error
    if graph is None:
        return model, 1
    return onnx.load_model_from_string(graph), max(1, simulation.batch_size)


def _lines(simulation: Simulation) -> list[str]:
    """Give the names of the list, or one that stands for the folders themselves."""
    path = simulation.list_file
    if path is None:
        return [""]
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ToolFailure(type(error).__name__, f"{path}: {error}") from error
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if not names:
        raise ToolFailure("ValueError", f"list {path} names no folder")
    for name in names:
        if Path(os.path.normpath(name)).parts[:1] in ((os.sep,), (os.pardir,)):
            raise ToolFailure("ValueError", f"list {path}: {name!r} leaves {simulation.input_dir}")
    return names


def _refuse_collisions(model: onnx.ModelProto, inputs: list[Tensor]) -> None:
    for names in (
        [tensor.name for tensor in inputs],
        [value.name for value in model.graph.output],
    ):
        for group in collisions(names):
            raise ToolFailure(
                "ValueError", f"tensors {group} would share {bin_path(Path(), group[0])}"
            )


def _write_outputs(
    session: onnxruntime.InferenceSession, feeds: dict[str, Array], batches: int, folder: Path
) -> None:
    """Run the samples one after the other and put what each gives behind the last one's."""
    names = [value.name for value in session.get_outputs()]
    found = [
        session.run(names, {key: array[index] for key, array in feeds.items()})
        for index in range(batches)
    ]
    for name, arrays in zip(names, zip(*found, strict=True), strict=True):
        path = write_bin(np.stack(arrays), folder, name)
        console.say(f"write [{name}] to [{path}] successfully")


def _write_layers(model: onnx.ModelProto, feed: dict[str, Array], folder: Path) -> None:
    """Write the tensors that depend on the inputs, computed a node at a time."""
    outputs = {value.name for value in model.graph.output}
    for name, array in computed_tensors(model, feed):
        if name not in outputs:
            path = write_bin(array, folder, name)
            console.say(f"write [{name}] to [{path}] successfully")


def _write_random(
    inputs: list[Tensor], folder: Path, batches: int, generator: np.random.Generator
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for tensor in inputs:
        arrays = [random_array(tensor, generator) for _ in range(batches)]
        write_bin(np.stack(arrays), folder, tensor.name)
