"""Checkpoint → ONNX with a static shape, checked against torch; or an ONNX file of one's own."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import Recipe
from orchestrator.errors import ExportError
from orchestrator.images import NamedImage, normalise
from orchestrator.onnx_graph import count_ops, run_float
from orchestrator.own_onnx import Taken, write_own
from orchestrator.pulsar2.preflight.shapes import MOST_BYTES
from orchestrator.tasks import task_of
from orchestrator.torch_model import load_module
from orchestrator.torch_trace import run_torch, trace

Outputs = Sequence[NDArray[np.floating]]
#: Up to here `export.max_abs_diff` is meant as it stands; of larger values it is a share.
FULL_SCALE = 10.0


@dataclass(frozen=True, slots=True)
class Exported:
    """An ONNX file and how well it agrees with torch, on `images` images."""

    path: Path
    ops: dict[str, int]
    max_abs_diff: float
    agreement: float
    images: int


def export(
    recipe: Recipe, checkpoint: Path, images: Sequence[NamedImage], folder: Path
) -> Exported:
    """Export a model for inference: one input, and of its outputs the one that its task wants.

    Args:
        recipe: task, shape, opset and names; the gates of the check.
        checkpoint: a folder as `save_pretrained()` writes it.
        images: for the check, at the recipe's size.
        folder: where `model.onnx` goes.

    Raises:
        ExportError: the checkpoint cannot be loaded or exported, or the two disagree.
    """
    import onnx

    path = folder / "model.onnx"
    feeds = [normalise(image.pixels, recipe.preprocess) for image in images]
    expected = _export_by_torch(recipe, checkpoint, feeds, path)
    gc.collect()  # torch's copy of the weights is in cycles, and onnxruntime makes another
    found = [output.astype(np.float32) for output in _run(recipe, path, feeds)]
    worst, same = _hold_together(recipe, expected, found)
    return Exported(path, count_ops(onnx.load(path)), worst, same, len(feeds))


def _export_by_torch(
    recipe: Recipe, checkpoint: Path, feeds: Sequence[NDArray[np.float32]], path: Path
) -> Outputs:
    """Write the ONNX file; give what torch makes of the feeds. Raises ExportError."""
    module = load_module(recipe, checkpoint)
    size = sum(weight.numel() * weight.element_size() for weight in module.parameters())
    if size > MOST_BYTES:
        raise ExportError(
            f"checkpoint {checkpoint}: has {size:,} bytes of weights, an ONNX file of one piece "
            f"holds {MOST_BYTES:,}",
            "pulsar2 takes no larger one: choose a smaller model of the family",
        )
    expected = run_torch(module, feeds, recipe.name)
    trace(module, recipe.export, path)
    return expected


def take_onnx(recipe: Recipe, source: Path, images: Sequence[NamedImage], folder: Path) -> Taken:
    """Take an ONNX file of one's own for the exported one, and see that it runs.

    Args:
        recipe: task, shape and names.
        source: the file; what lies beside it is put into the one that is written.
        images: for the try, at the recipe's size.
        folder: where `model.onnx` goes.

    Raises:
        ExportError: it does not fit the recipe, or its output is no answer of the task.
    """
    path = folder / "model.onnx"
    taken = write_own(recipe, source, path)
    feeds = [normalise(image.pixels, recipe.preprocess) for image in images]
    for output in _run(recipe, path, feeds):
        _need_channels(recipe, output)
        _answer(recipe, output)
    return taken


def _need_channels(recipe: Recipe, output: NDArray[np.generic]) -> None:
    """Refuse logits of other classes than the recipe's. Raises ExportError."""
    axis, classes, shape = recipe.head.axis, len(recipe.classes), output.shape
    logits = np.issubdtype(output.dtype, np.floating)
    if recipe.checkpoint.task != "semantic-segmentation" or not logits:
        return
    if axis >= len(shape) or shape[axis] != classes:
        raise ExportError(
            f"{recipe.name}: its output {recipe.export.output_name} is "
            f"{'x'.join(map(str, shape))}, its axis {axis} should have the recipe's "
            f"{classes} classes",
            "list the model's classes, in the order of their ids; optimize.head.axis is their axis",
        )


def _run(
    recipe: Recipe, path: Path, feeds: Sequence[NDArray[np.float32]]
) -> list[NDArray[np.generic]]:
    """Run the ONNX file. Raises ExportError: onnxruntime does not take it, or them."""
    from onnxruntime.capi import onnxruntime_pybind11_state as ort

    refusals = (ort.Fail, ort.InvalidArgument, ort.InvalidGraph, ort.NotImplemented)
    try:
        return run_float(path, [{recipe.export.input_name: feed} for feed in feeds])
    except (*refusals, ort.RuntimeException) as error:
        shape = "x".join(map(str, recipe.export.shape))
        raise ExportError(
            f"{recipe.name}: onnxruntime cannot run the ONNX file at {shape}: "
            f"{str(error).strip().splitlines()[0]}",
            "is export.input.shape one that the model takes?",
        ) from error


def _hold_together(recipe: Recipe, expected: Outputs, found: Outputs) -> tuple[float, float]:
    """Give the largest difference and the agreement. Raises ExportError: they are not enough."""
    worst = max(float(np.abs(a - b).max()) for a, b in zip(expected, found, strict=True))
    largest = max(float(np.abs(one).max()) for one in expected)
    most = recipe.export.max_abs_diff * max(1.0, largest / FULL_SCALE)
    task = task_of(recipe)
    said = [[_answer(recipe, output) for output in side] for side in (expected, found)]
    same = task.compare(said[0], said[1], recipe).share
    if not worst <= most or same < recipe.export.min_agreement:
        raise ExportError(
            f"{recipe.name}: the exported ONNX differs from torch on {len(expected)} images: "
            f"max abs difference {worst:.2e} (may be {most:.0e}), "
            f"agreement {same:.4%} (must be {recipe.export.min_agreement:.2%})",
            "try another export.opset",
        )
    return worst, same


def _answer(recipe: Recipe, output: NDArray[np.generic]) -> NDArray[np.generic]:
    """Read an output as its task does. Raises ExportError: it is not one."""
    try:
        return task_of(recipe).answer(output, recipe)
    except (ValueError, IndexError) as error:
        raise ExportError(
            f"{recipe.name}: its output {recipe.export.output_name} is no answer for "
            f"{recipe.checkpoint.task}: {error}",
            "see checkpoint.task and docs/reference/tasks.md",
        ) from error
