"""The compiled model under `pulsar2 run` against the float model, before any board gets it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import Agreement, OutputDifference, Recipe
from orchestrator.errors import CompileError
from orchestrator.images import NamedImage, normalise, runtime_input
from orchestrator.onnx_graph import run_all
from orchestrator.seams import Bench
from orchestrator.simulating import Tensors, simulate
from orchestrator.tasks import output_name, task_of


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
    fed = [runtime_input(image.pixels, recipe.preprocess).tobytes() for image in images]
    found = simulate(recipe, axmodel, fed, bench)
    feeds = [
        {recipe.export.input_name: normalise(image.pixels, recipe.preprocess)} for image in images
    ]
    expected = run_all(onnx, feeds)
    return _compare(recipe, expected, found, bench.folder / "answers.npy")


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
