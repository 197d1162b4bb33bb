"""A Hugging Face checkpoint as a torch module, loaded by its task."""

from __future__ import annotations

import re
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.domain import ExportSpec, Recipe, Task
from orchestrator.errors import ExportError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from transformers import PretrainedConfig


@dataclass(frozen=True, slots=True)
class _Kind:
    """How transformers has a task: the class that loads it, and the output that is its answer."""

    auto: str
    field: str


_KINDS: dict[Task, _Kind] = {
    "semantic-segmentation": _Kind("AutoModelForSemanticSegmentation", "logits"),
    "image-classification": _Kind("AutoModelForImageClassification", "logits"),
    "depth-estimation": _Kind("AutoModelForDepthEstimation", "predicted_depth"),
    "image-feature-extraction": _Kind("AutoModel", "last_hidden_state"),
}
#: What a backbone has and its features do not depend on; checkpoints may leave it out.
_IDLE = re.compile(r"(^|\.)(pooler|mask_token|head)(\.|$)")


def load_module(recipe: Recipe, checkpoint: Path) -> Module:
    """Load the model of a checkpoint: (1, 3, H, W) float32 in, the task's answer out.

    Attention is eager: the fused one has no operator before opset 14.

    Raises:
        ExportError: transformers has no such model, its weights are not all there, or it has other
            classes than the recipe.
    """
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    config = _vision_config(recipe, checkpoint)
    kind = _KINDS[recipe.checkpoint.task]
    model = _load(recipe, checkpoint, config)
    _need_classes(recipe, checkpoint, model.config)
    return _only_answer(model, kind.field, _flags(model, recipe.export))


def _vision_config(recipe: Recipe, checkpoint: Path) -> PretrainedConfig:
    """Read the config; of a model of images and text, the part that sees. Raises ExportError."""
    import transformers

    try:
        config = transformers.AutoConfig.from_pretrained(checkpoint, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ExportError(f"checkpoint {checkpoint}: {_first_line(error)}") from error
    task = recipe.checkpoint.task
    if task == "image-feature-extraction":
        config = getattr(config, "vision_config", config)
    if not _knows(task, config):
        others = [other for other in _KINDS if _knows(other, config)]
        raise ExportError(
            f"checkpoint {checkpoint}: transformers has no {task} model of type "
            f"{config.model_type!r}",
            f"checkpoint.task: {' or '.join(others)}" if others else "orch exports " + _all_tasks(),
        )
    return config


def _knows(task: Task, config: PretrainedConfig) -> bool:
    import transformers

    return type(config) in getattr(transformers, _KINDS[task].auto)._model_mapping  # noqa: SLF001 - there is no public list


def _all_tasks() -> str:
    return ", ".join(_KINDS)


def _load(recipe: Recipe, checkpoint: Path, config: PretrainedConfig) -> Module:
    import torch
    import transformers
    from safetensors import SafetensorError

    task = recipe.checkpoint.task
    auto = getattr(transformers, _KINDS[task].auto)
    try:
        model, info = auto.from_pretrained(
            checkpoint,
            config=config,
            attn_implementation="eager",
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError) as error:
        raise ExportError(
            f"checkpoint {checkpoint}: cannot be loaded for {task}: {_first_line(error)}"
        ) from error
    idle = _IDLE if task == "image-feature-extraction" else None
    missing = sorted(name for name in info["missing_keys"] if idle is None or not idle.search(name))
    if missing:
        raise ExportError(
            f"checkpoint {checkpoint}: {len(missing)} weights of a {config.model_type} for {task} "
            f"are not in it, {missing[0]} among them",
            "was it trained for another task? see checkpoint.task",
        )
    return model.eval()


def _need_classes(recipe: Recipe, checkpoint: Path, config: PretrainedConfig) -> None:
    """Refuse a model with other classes; a recipe for image classification need not list them."""
    classes = len(recipe.classes)
    if recipe.checkpoint.task in {"semantic-segmentation", "image-classification"} and (
        classes and config.num_labels != classes
    ):
        raise ExportError(
            f"checkpoint {checkpoint}: has {config.num_labels} classes, the recipe {classes}",
            "list the checkpoint's classes in the recipe, in the order of their ids",
        )


def _flags(model: Module, spec: ExportSpec) -> dict[str, bool]:
    """Tell a model that is fed another size than it was trained at to bend its positions."""
    size = getattr(model.config, "image_size", None)
    trained = (size, size) if isinstance(size, int) else tuple(size or spec.shape[2:])
    bends = "interpolate_pos_encoding" in signature(model.forward).parameters
    return {"interpolate_pos_encoding": True} if bends and trained != spec.shape[2:] else {}


def _only_answer(model: Module, field: str, flags: dict[str, bool]) -> Module:
    import torch

    class Wrapper(torch.nn.Module):  # type: ignore[misc] # torch is not type-checked here
        """The model's only output that counts, as a plain tensor."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, pixel_values: Tensor) -> Tensor:
            found: Tensor = getattr(self.inner(pixel_values, **flags), field)
            return found

    # A wrapper that is not itself in eval mode leaves its children in train mode after export.
    return Wrapper().eval()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
