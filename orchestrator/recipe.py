"""A recipe file → what to build and how to judge it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from orchestrator.domain import (
    Checkpoint,
    CheckSpec,
    CompileSpec,
    ExportSpec,
    Gates,
    HeadSpec,
    ImageSource,
    Json,
    Preprocess,
    Recipe,
    Rgb,
    RunSpec,
    SmokeSpec,
    Target,
)
from orchestrator.errors import ConfigError
from orchestrator.pictures.palettes import colours_for, named_palette, rgb
from orchestrator.recipe_file import CheckpointFile, ImagesFile, RecipeFile
from orchestrator.yaml_file import explain, read_yaml

#: Where the recipes lie that come with orch.
SHIPPED = Path(__file__).parent / "recipes"
#: A recipe's name begins the names of its releases, which are folders on boards.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


def recipe_schema() -> dict[str, Json]:
    """Give the JSON Schema of a recipe."""
    return RecipeFile.model_json_schema()


def shipped_recipes() -> list[str]:
    """Give the names of the recipes that come with orch."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def recipe_path(name: str) -> Path:
    """Find a recipe by its shipped name or by its path. Raises ConfigError."""
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        path = SHIPPED / f"{name}.yaml"
        if not path.is_file():
            hint = f"shipped: {', '.join(shipped_recipes())}; or give the path of a .yaml file"
            raise ConfigError(f"no recipe named {name!r}", hint)
    return path


def load_recipe(name: str) -> Recipe:
    """Read a recipe by its shipped name or by the path of a YAML file. Raises ConfigError."""
    path = recipe_path(name)
    if not _NAME.fullmatch(path.stem):
        raise ConfigError(f"{path}: its name must fit {_NAME.pattern}", "rename the file")
    file = read_yaml(path)
    try:
        parsed = RecipeFile.model_validate(file.data)
    except ValidationError as error:
        raise explain(file, error.errors(), recipe_schema()) from None
    return _recipe(path, parsed)


def _recipe(path: Path, parsed: RecipeFile) -> Recipe:
    export, build, head = parsed.export, parsed.compile, parsed.optimize.head
    check, layers = parsed.check, parsed.optimize.layers
    classes, palette = _classes(parsed)
    mean, std = parsed.preprocess.mean, parsed.preprocess.std
    return Recipe(
        name=path.stem,
        checkpoint=_checkpoint(path, parsed.checkpoint),
        export=ExportSpec(
            export.opset,
            export.input.name,
            export.output,
            export.input.shape,
            export.max_abs_diff,
            export.min_agreement,
        ),
        preprocess=Preprocess(
            (mean[0], mean[1], mean[2]),
            (std[0], std[1], std[2]),
            parsed.preprocess.colour,
            parsed.preprocess.fit,
            parsed.preprocess.crop_edge,
            parsed.preprocess.resample,
        ),
        head=HeadSpec(_head_op(parsed), head.axis, head.keepdims, head.output),
        compile=CompileSpec(
            Target(build.target_hardware, build.npu_mode),
            _images(path, build.calibration),
            build.calibration_method,
            None if build.precision_analysis == "off" else build.precision_analysis,
            build.timeout,
            build.pulsar2,
        ),
        check=CheckSpec(
            check.images, check.timeout, check.min_agreement, check.min_miou, check.min_cosine
        ),
        smoke=SmokeSpec(parsed.smoke.images, parsed.smoke.min_agreement),
        run=RunSpec(
            None if parsed.run.warmup == "auto" else parsed.run.warmup,
            parsed.run.iterations,
            parsed.run.timeout,
            parsed.run.min_duration,
            parsed.run.blocks,
            tuple(parsed.run.instruments),
        ),
        evaluation=_images(path, parsed.evaluation),
        gates=Gates(**parsed.gates.model_dump()),
        classes=classes,
        palette=palette,
        layers=layers if isinstance(layers, int) else tuple(layers),
    )


def _head_op(parsed: RecipeFile) -> Literal["argmax", "none"]:
    """Give the head; left out, class maps get ArgMax and everything else none."""
    by_task: Literal["argmax", "none"] = (
        "argmax" if parsed.checkpoint.task == "semantic-segmentation" else "none"
    )
    return parsed.optimize.head.op or by_task


def _images(path: Path, images: ImagesFile) -> ImageSource:
    folder, masks = (
        None if named is None else _beside(path, named) for named in (images.folder, images.masks)
    )
    return ImageSource(folder, images.generator, images.seed, images.size, masks)


def _checkpoint(path: Path, given: CheckpointFile) -> Checkpoint:
    if given.onnx is not None:
        return Checkpoint(_beside(path, given.onnx), None, given.task, "onnx")
    return Checkpoint(str(given.source), given.revision, given.task)


def _beside(recipe: Path, named: str) -> str:
    """Give a path as it is meant: relative to the recipe's folder."""
    return str((recipe.parent / Path(named).expanduser()).resolve())


def _classes(parsed: RecipeFile) -> tuple[tuple[str, ...], tuple[Rgb, ...]]:
    """Give the classes, and the colour of each."""
    palette, own = parsed.palette, parsed.classes
    known = palette if isinstance(palette, str) else None
    classes = tuple(own or (named_palette(known) if known else ()))
    if isinstance(palette, list):
        return classes, tuple(rgb(colour) for colour in palette)
    given = {name: rgb(colour) for name, colour in own.items() if colour is not None}
    others = colours_for(classes, known)
    return classes, tuple(given.get(*pair) for pair in zip(classes, others, strict=True))
