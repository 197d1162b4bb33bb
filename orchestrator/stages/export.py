"""HF checkpoint → ONNX with a static shape, checked against torch on real images."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import ExportSpec, Recipe
from orchestrator.errors import ExportError
from orchestrator.images import NamedImage, normalise
from orchestrator.onnx_graph import count_ops, run_float

if TYPE_CHECKING:
    import torch
    from transformers import SegformerForSemanticSegmentation

    Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Exported:
    """An ONNX file and how well it agrees with torch."""

    path: Path
    ops: dict[str, int]
    max_abs_diff: float
    agreement: float
    images: int


def export(
    recipe: Recipe, checkpoint: Path, images: Sequence[NamedImage], folder: Path
) -> Exported:
    """Export a SegFormer for inference: logits at a quarter of the input's size.

    Args:
        recipe: shape, opset and names; the gates of the check.
        checkpoint: a folder as `save_pretrained()` writes it.
        images: for the check, at the recipe's size.
        folder: where `model.onnx` goes.

    Raises:
        ExportError: the checkpoint cannot be loaded, or the two disagree.
    """
    import onnx

    model = _load(checkpoint, len(recipe.classes))
    path = folder / "model.onnx"
    _write(model, recipe.export, path)
    feeds = [normalise(image.pixels, recipe.preprocess) for image in images]
    expected = _run_torch(model, feeds)
    outputs = run_float(path, [{recipe.export.input_name: feed} for feed in feeds])
    found = [output.astype(np.float32) for output in outputs]
    worst = max(float(np.abs(a - b).max()) for a, b in zip(expected, found, strict=True))
    same = float(
        np.mean([(a.argmax(1) == b.argmax(1)).mean() for a, b in zip(expected, found, strict=True)])
    )
    if not worst <= recipe.export.max_abs_diff or same < recipe.export.min_agreement:
        raise ExportError(
            f"{recipe.name}: the exported ONNX differs from torch on {len(feeds)} images: "
            f"max abs difference {worst:.2e} (may be {recipe.export.max_abs_diff:.0e}), "
            f"ArgMax agreement {same:.4%} (must be {recipe.export.min_agreement:.2%})",
            "try another export.opset",
        )
    return Exported(path, count_ops(onnx.load(path)), worst, same, len(feeds))


def _load(checkpoint: Path, classes: int) -> SegformerForSemanticSegmentation:
    """Load the model with eager attention: the fused one has no operator before opset 14."""
    from safetensors import SafetensorError
    from transformers import SegformerForSemanticSegmentation
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model = SegformerForSemanticSegmentation.from_pretrained(
            checkpoint, attn_implementation="eager", local_files_only=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ExportError(
            f"checkpoint {checkpoint}: is no SegFormer for semantic segmentation: {reason}"
        ) from error
    if model.config.num_labels != classes:
        raise ExportError(
            f"checkpoint {checkpoint}: has {model.config.num_labels} classes, the recipe {classes}",
            "list the checkpoint's classes in the recipe, in the order of their ids",
        )
    return model.eval()


def _write(model: SegformerForSemanticSegmentation, spec: ExportSpec, path: Path) -> None:
    import torch

    class Wrapper(torch.nn.Module):  # type: ignore[misc] # torch is not type-checked here
        """The model's only output that counts, as a plain tensor."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.inner(pixel_values).logits
            return logits

    # A wrapper that is not itself in eval mode leaves its children in train mode after export.
    wrapper = Wrapper().eval()
    sample = torch.zeros(spec.shape, dtype=torch.float32)
    with _explained(spec), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer warns of every shape that becomes static
        torch.onnx.export(
            wrapper,
            (sample,),
            str(path),
            opset_version=spec.opset,
            input_names=[spec.input_name],
            output_names=[spec.output_name],
            dynamo=False,
        )


@contextmanager
def _explained(spec: ExportSpec) -> Iterator[None]:
    """Say what torch could not export, in a line."""
    try:
        yield
    except (RuntimeError, ValueError, IndexError) as error:
        shape = "x".join(map(str, spec.shape))
        raise ExportError(
            f"torch cannot export it at {shape}, opset {spec.opset}: {str(error).splitlines()[0]}",
            "is the shape one that the model takes?",
        ) from error


def _run_torch(
    model: SegformerForSemanticSegmentation, feeds: Sequence[NDArray[np.float32]]
) -> list[Logits]:
    import torch

    with torch.no_grad():
        return [model(torch.from_numpy(feed)).logits.numpy() for feed in feeds]
