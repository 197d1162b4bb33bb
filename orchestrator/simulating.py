"""What a compiled model says under `pulsar2 run`: every output, on this host."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import Recipe, TensorSpec
from orchestrator.errors import CompileError
from orchestrator.pulsar2.header import read_header
from orchestrator.pulsar2.log import find_cause
from orchestrator.pulsar2.terminal import as_written
from orchestrator.seams import Bench, Progress

MODEL = "input/model.axmodel"
LIST = "input/list.txt"
SAMPLES = "input/samples"
OUTPUT = "output"
ARGV = (
    *("pulsar2", "run", "--model", MODEL, "--input_dir", SAMPLES),
    *("--output_dir", OUTPUT, "--list", LIST),
)
#: 64-bit integers leave a compiled model with 32 bits.
_NARROWED = {"int64": "int32", "uint64": "uint32", "bool": "uint8"}

#: By its name, what an output holds.
Tensors = Mapping[str, NDArray[np.generic]]


def simulate(recipe: Recipe, axmodel: Path, inputs: Sequence[bytes], bench: Bench) -> list[Tensors]:
    """Run an axmodel on raw inputs, in `bench.folder`; give all its outputs of each.

    Args:
        recipe: names the input, and the time limit by its `check`.
        axmodel: what `pulsar2 build` made.
        inputs: each as a board would be fed it.
        bench: with a fresh folder, and the log that is written.

    Raises:
        CompileError: `pulsar2 run` failed, or left something else than the model's outputs.
        DeadlineError, ToolchainError: from the toolchain.
    """
    folder, log, identity = bench.folder, bench.log, bench.identity
    header = read_header(axmodel)
    names = _write_inputs(recipe, axmodel, inputs, folder)
    bench.progress.event("check", f"pulsar2 run on {len(names)} images")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as stream:
        keep = partial(_keep_line, stream, bench.progress, len(names))
        result = bench.toolchain.run(list(ARGV), folder, keep, recipe.check.timeout_s)
    if result.returncode != 0:
        raise CompileError(
            f"{recipe.name}: `pulsar2 run` of {identity.name} {identity.version} ended with "
            f"{result.returncode}: {find_cause(result.stdout.decode(errors='replace'))}",
            f"the whole log: {log}",
        )
    return [
        {
            spec.name: _read_output(recipe.name, folder / OUTPUT / name, spec, log)
            for spec in header.outputs
        }
        for name in names
    ]


def file_name(tensor: str) -> str:
    """Give the name that `pulsar2 run` reads or writes a tensor by (its documentation)."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", tensor) + ".bin"


def _keep_line(stream: IO[str], progress: Progress, total: int, line: str) -> None:
    stream.write(as_written(line))
    stream.flush()
    if done := re.match(r">>> \[(\d+)\] finish", line):
        progress.advance("check", "images", int(done.group(1)) + 1, total)


def _write_inputs(
    recipe: Recipe, axmodel: Path, inputs: Sequence[bytes], folder: Path
) -> list[str]:
    """Lay out the model, one raw file per image, and a list of their folders, whose names it is."""
    samples = folder / SAMPLES
    samples.mkdir(parents=True)
    (folder / OUTPUT).mkdir()
    (folder / MODEL).write_bytes(axmodel.read_bytes())
    names = [str(number) for number in range(len(inputs))]
    (folder / LIST).write_text("".join(f"{name}\n" for name in names))
    for name, content in zip(names, inputs, strict=True):
        path = samples / name / file_name(recipe.export.input_name)
        path.parent.mkdir()
        path.write_bytes(content)
        (folder / OUTPUT / name).mkdir()
    return names


def _read_output(recipe: str, folder: Path, spec: TensorSpec, log: Path) -> NDArray[np.generic]:
    """Read one output in the shape that the axmodel's header gives it."""
    path = folder / file_name(spec.name)
    if not path.is_file():
        raise CompileError(
            f"{recipe}: `pulsar2 run` ended with 0 and wrote no {path.name} of image {folder.name}",
            f"the whole log: {log}",
        )
    content = path.read_bytes()
    count = int(np.prod(spec.shape))
    dtypes = (spec.dtype, _NARROWED.get(spec.dtype, spec.dtype))
    for dtype in map(np.dtype, dtypes):
        if len(content) == count * dtype.itemsize:
            return np.frombuffer(content, dtype).reshape(spec.shape)
    raise CompileError(
        f"{recipe}: `pulsar2 run` wrote {len(content):,} bytes as {path.name}, "
        f"{spec.dtype} {list(spec.shape)} takes {count * np.dtype(dtypes[1]).itemsize:,}",
        f"the whole log: {log}",
    )
