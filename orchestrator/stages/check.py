"""The compiled model under `pulsar2 run` against the float model, before any board gets it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import Agreement, OutputDifference, Recipe, TensorSpec
from orchestrator.errors import CompileError
from orchestrator.images import NamedImage, normalise, runtime_input
from orchestrator.onnx_graph import run_all
from orchestrator.pulsar2.header import read_header
from orchestrator.pulsar2.log import find_cause
from orchestrator.pulsar2.terminal import as_written
from orchestrator.seams import Bench, Progress
from orchestrator.tasks import output_name, task_of

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

Tensors = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Checked:
    """What quantization changed, as the toolchain itself simulates it on this host.

    `answers` is a .npy file, one answer per image (orchestrator.tasks).
    """

    agreement: Agreement
    outputs: tuple[OutputDifference, ...]
    answers: Path


def check(
    recipe: Recipe, onnx: Path, axmodel: Path, images: Sequence[NamedImage], bench: Bench
) -> Checked:
    """Run the axmodel on images and compare every output with the float model's.

    Raises:
        CompileError: `pulsar2 run` failed, or left something else than the model's outputs.
        DeadlineError, ToolchainError: from the toolchain.
    """
    folder, log, identity = bench.folder, bench.log, bench.identity
    header = read_header(axmodel)
    _write_inputs(recipe, axmodel, images, folder)
    bench.progress.event("check", f"pulsar2 run on {len(images)} images")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as stream:
        keep = partial(_keep_line, stream, bench.progress, len(images))
        result = bench.toolchain.run(list(ARGV), folder, keep, recipe.check.timeout_s)
    if result.returncode != 0:
        raise CompileError(
            f"{recipe.name}: `pulsar2 run` of {identity.name} {identity.version} ended with "
            f"{result.returncode}: {find_cause(result.stdout.decode(errors='replace'))}",
            f"the whole log: {log}",
        )
    found = [
        {
            spec.name: _read_output(recipe.name, folder / OUTPUT / name, spec, log)
            for spec in header.outputs
        }
        for name in _names(images)
    ]
    feeds = [
        {recipe.export.input_name: normalise(image.pixels, recipe.preprocess)} for image in images
    ]
    expected = run_all(onnx, feeds)
    return _compare(recipe, expected, found, folder / "answers.npy")


def _names(images: Sequence[NamedImage]) -> list[str]:
    return [str(number) for number in range(len(images))]


def _keep_line(stream: IO[str], progress: Progress, total: int, line: str) -> None:
    stream.write(as_written(line))
    stream.flush()
    if done := re.match(r">>> \[(\d+)\] finish", line):
        progress.advance("check", "images", int(done.group(1)) + 1, total)


def _write_inputs(
    recipe: Recipe, axmodel: Path, images: Sequence[NamedImage], folder: Path
) -> None:
    """Lay out the model, a list of folder names, and one raw file per image and input."""
    samples = folder / SAMPLES
    samples.mkdir(parents=True)
    (folder / OUTPUT).mkdir()
    (folder / MODEL).write_bytes(axmodel.read_bytes())
    names = _names(images)
    (folder / LIST).write_text("".join(f"{name}\n" for name in names))
    for name, image in zip(names, images, strict=True):
        path = samples / name / file_name(recipe.export.input_name)
        path.parent.mkdir()
        path.write_bytes(runtime_input(image.pixels, recipe.preprocess).tobytes())
        (folder / OUTPUT / name).mkdir()


def file_name(tensor: str) -> str:
    """Give the name that `pulsar2 run` reads or writes a tensor by (its documentation)."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", tensor) + ".bin"


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


def _compare(
    recipe: Recipe, expected: Sequence[Tensors], found: Sequence[Tensors], answers: Path
) -> Checked:
    outputs = list(expected[0])
    missing = set(outputs) - set(found[0])
    if missing:
        raise CompileError(
            f"{recipe.name}: the axmodel has no output {sorted(missing)}, it has {[*found[0]]}"
        )
    wanted, task = output_name(recipe), task_of(recipe)
    said = [task.answer(one[wanted], recipe) for one in found]
    np.save(answers, np.stack(said))
    references = [task.answer(one[wanted], recipe) for one in expected]
    return Checked(
        task.compare(references, said, recipe),
        tuple(
            difference(name, [one[name] for one in expected], [one[name] for one in found])
            for name in outputs
        ),
        answers,
    )


def difference(
    name: str, expected: Sequence[NDArray[np.generic]], found: Sequence[NDArray[np.generic]]
) -> OutputDifference:
    """Compare the arrays of one output, pair by pair, as one long vector in float64."""
    dtype = str(found[0].dtype)
    if not np.issubdtype(expected[0].dtype, np.floating):
        return OutputDifference(name, dtype, None, None)
    a = np.concatenate([one.ravel().astype(np.float64) for one in expected])
    b = np.concatenate([one.ravel().astype(np.float64) for one in found])
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    cosine = float(a @ b) / lengths if lengths else None
    return OutputDifference(name, dtype, cosine, float(np.abs(a - b).max()))
