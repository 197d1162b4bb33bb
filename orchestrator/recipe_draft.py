"""A checkpoint's own files → the text of a recipe that builds it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from orchestrator.domain import Json, Preprocess, Task
from orchestrator.errors import ConfigError
from orchestrator.image_processor import Seen, read_processor
from orchestrator.pictures.palettes import colours_for

_BY_ARCHITECTURE: dict[str, Task] = {
    "SemanticSegmentation": "semantic-segmentation",
    "ImageClassification": "image-classification",
    "ImageClassificationWithTeacher": "image-classification",
    "DepthEstimation": "depth-estimation",
}
_OUTPUTS: dict[Task, str] = {
    "semantic-segmentation": "logits",
    "image-classification": "logits",
    "depth-estimation": "depth",
    "image-feature-extraction": "features",
}
#: More than a recipe may list; a classifier does without.
_MOST_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for; None is left to the checkpoint's files.

    Attributes:
        source: as it goes into the recipe: a hub id or an absolute folder.
        size: (H, W) of the input.
        calibration: an absolute folder.
        evaluation: an absolute folder.
    """

    name: str
    source: str
    revision: str | None = None
    task: Task | None = None
    size: tuple[int, int] | None = None
    calibration: str | None = None
    evaluation: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A recipe's text, and what whoever asked for it should know."""

    text: str
    task: Task
    notes: tuple[str, ...]


def draft(wish: Wish, config: Mapping[str, Json], processor: Mapping[str, Json]) -> Draft:
    """Write a recipe.

    Args:
        wish: what was asked for.
        config: the checkpoint's config.json.
        processor: what its image processor tells of itself.

    Raises:
        ConfigError: the files do not say what a recipe needs.
    """
    task = wish.task or _task(config)
    seen = read_processor(processor, wish.size)
    notes = list(seen.notes)
    if wish.calibration is None or wish.evaluation is None:
        notes.append(
            "drawn street scenes stand in for images: name real ones before you trust a number"
        )
    parts = [
        f"# {wish.name}: {config.get('model_type')} for {task}, drafted from its config.json and",
        "# preprocessor_config.json. What each key means: docs/reference/recipe.md",
        *_checkpoint(wish, task),
        *_classes(task, config, notes),
        *_export(task, seen),
        *_preprocess(seen.how, seen.notes),
        *_rest(wish, task),
    ]
    return Draft("\n".join(parts) + "\n", task, tuple(notes))


def _task(config: Mapping[str, Json]) -> Task:
    """Tell the task by the name of the architecture. Raises ConfigError."""
    found = config.get("architectures")
    names = [str(one) for one in found] if isinstance(found, list) else []
    for name in names:
        kind = re.search(r"For(\w+)$", name)
        if kind and kind.group(1) in _BY_ARCHITECTURE:
            return _BY_ARCHITECTURE[kind.group(1)]
        if kind is None and name.endswith("Model"):
            return "image-feature-extraction"
    raise ConfigError(
        f"config.json: its architecture {', '.join(names) or 'is not named and'} tells no task",
        f"name one: --task {' | '.join(get_args(Task))}",
    )


def _checkpoint(wish: Wish, task: Task) -> list[str]:
    pinned = [] if wish.revision is None else [f"  revision: {_text(wish.revision)}"]
    return ["checkpoint:", f"  source: {_text(wish.source)}", *pinned, f"  task: {task}"]


def _classes(task: Task, config: Mapping[str, Json], notes: list[str]) -> list[str]:
    """List the classes with colours, where the task has some."""
    if task not in {"semantic-segmentation", "image-classification"}:
        return []
    names = class_names(config)
    if task == "image-classification":
        if not names or len(names) > _MOST_CLASSES:
            notes.append(f"{len(names)} class names: pictures show numbers")
            return []
        rows = [f"  - {_text(name)}" for name in names]
        return ["classes:  # in the order of their ids", *rows]
    if len(names) < 2:  # noqa: PLR2004 - of one class there is nothing to say
        raise ConfigError(
            f"config.json: id2label names {len(names)} classes, segmentation wants 2 or more",
            'add id2label to config.json: {"0": "road", "1": "sky", ...}',
        )
    pairs = zip(names, colours_for(names), strict=True)
    rows = [
        f'  {_text(name)}: "#{red:02x}{green:02x}{blue:02x}"' for name, (red, green, blue) in pairs
    ]
    return ["classes:  # in the order of their ids; the colours are for pictures only", *rows]


def class_names(config: Mapping[str, Json]) -> list[str]:
    """Give the names of the classes in the order of their ids; one that is there twice gets its id.

    Raises:
        ConfigError: the ids are not 0, 1, 2, …
    """
    found = config.get("id2label")
    given = found if isinstance(found, Mapping) else {}
    labels = {str(key): str(name) for key, name in given.items()}
    wanted = [str(number) for number in range(len(labels))]
    if set(labels) != set(wanted):
        raise ConfigError(
            f"config.json: the {len(labels)} ids of id2label are not 0 to {len(labels) - 1}",
            "number the classes from 0 on, without gaps",
        )
    names = [labels[key].strip() for key in wanted]
    return [
        name if name and names.count(name) == 1 else f"{name or 'class'} ({number})"
        for number, name in enumerate(names)
    ]


def _export(task: Task, seen: Seen) -> list[str]:
    return [
        "export:",
        "  opset: 11",
        f"  input: {{name: input, shape: [1, 3, {seen.height}, {seen.width}]}}",
        f"  output: {_OUTPUTS[task]}",
    ]


def _preprocess(how: Preprocess, notes: tuple[str, ...]) -> list[str]:
    edge = [] if how.crop_edge is None else [f"  crop_edge: {how.crop_edge}"]
    return [
        "preprocess:  # on 0..255",
        *(f"  # {note}" for note in notes),
        f"  mean: {list(how.mean)}",
        f"  std: {list(how.std)}",
        f"  colour: {how.colour}",
        f"  fit: {how.fit}",
        *edge,
        f"  resample: {how.resample}",
    ]


def _rest(wish: Wish, task: Task) -> list[str]:
    head = (
        ["optimize:", "  head: {op: argmax, axis: 1}  # the board gives class ids"]
        if task == "semantic-segmentation"
        else []
    )
    return [
        *head,
        "compile:",
        "  target_hardware: AX650",
        "  npu_mode: NPU3",
        *_images("calibration", wish.calibration, 1_000_000, "  ", "quantization looks at these"),
        *_images("evaluation", wish.evaluation, 2_000_000, "", "boards are judged by these"),
        "run:",
        "  iterations: 200",
        "# gates: {min_agreement: 0.90, max_p50_ms: 20}  # what a run must keep",
    ]


def _images(key: str, folder: str | None, seed: int, indent: str, why: str) -> list[str]:
    """Name a folder; without one, drawn scenes that other seeds do not draw."""
    size = 32 if key == "calibration" else 16
    if folder is not None:
        return [f"{indent}{key}: {{folder: {_text(folder)}, size: {size}}}  # {why}"]
    return [
        f"{indent}# {why}; better: folder: images/{key}",
        f"{indent}{key}: {{generator: street-scenes, seed: {seed}, size: {size}}}",
    ]


def _text(value: str) -> str:
    """Quote a text: JSON's is YAML's."""
    return json.dumps(value, ensure_ascii=False)
