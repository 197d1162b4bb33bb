"""`pulsar2 run`: a model on the CPU, its inputs and outputs in `.bin` files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from . import console
from .axmodel import embedded_graph
from .failure import ToolFailure
from .model import Tensor, graph_inputs, load_any, tensors


@dataclass(frozen=True, slots=True)
class Simulation:
    """What is to be run: every line of `list_file` names a folder below both others."""

    model: Path
    input_dir: Path
    output_dir: Path
    list_file: Path | None
    random_input: bool
    repeat: int


def run(simulation: Simulation) -> None:
    """Run a float ONNX file or a simulated axmodel. Raises ToolFailure."""
    model = load_any(simulation.model)
    try:
        graph = embedded_graph(model)
    except ValueError as error:
        raise ToolFailure("ValueError", f"{simulation.model}: {error}") from error
    runnable = model if graph is None else onnx.load_model_from_string(graph)
    inputs = tensors(graph_inputs(runnable))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        runnable.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    console.finished("Building native")
    for name in _lines(simulation.list_file):
        source = simulation.input_dir / name
        if simulation.random_input:
            _write_random(inputs, source)
        console.say(f">>> [{name or 0}] start")
        feed = {tensor.name: _read(tensor, source) for tensor in inputs}
        for _ in range(max(1, simulation.repeat)):
            found = session.run(None, feed)
        target = simulation.output_dir / name
        target.mkdir(parents=True, exist_ok=True)
        for value, array in zip(session.get_outputs(), found, strict=True):
            path = target / f"{escaped(value.name)}.bin"
            path.write_bytes(np.ascontiguousarray(array).tobytes())
            console.say(f"write [{value.name}] to [{path}] successfully")
        console.say(f">>> [{name or 0}] finish")


def escaped(name: str) -> str:
    """Give a tensor's name as it stands in a file name."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)


def _lines(path: Path | None) -> Iterator[str]:
    """Give the names of the list, or one that stands for the folders themselves."""
    if path is None:
        yield ""
        return
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ToolFailure(type(error).__name__, str(error)) from error
    yield from (line.strip() for line in text.splitlines() if line.strip())


def _read(tensor: Tensor, folder: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    path = folder / f"{escaped(tensor.name)}.bin"
    try:
        array = np.fromfile(path, dtype=tensor.dtype)
    except OSError as error:
        raise ToolFailure(type(error).__name__, str(error)) from error
    wanted = int(np.prod(tensor.shape)) * tensor.dtype.itemsize
    if path.stat().st_size != wanted:
        raise ToolFailure(
            "ValueError",
            f"{path} has {path.stat().st_size} bytes, [{tensor.name}] takes {wanted}: "
            f"{tensor.dtype.name} {tensor.shape}",
        )
    return array.reshape(tensor.shape)


def _write_random(inputs: list[Tensor], folder: Path) -> None:
    generator = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for tensor in inputs:
        array = generator.uniform(0, 255, tensor.shape).astype(tensor.dtype)
        (folder / f"{escaped(tensor.name)}.bin").write_bytes(array.tobytes())
