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
from orchestrator.recipe_file import (
    CheckpointFile,
    CompileFile,
    ExportFile,
    ImagesFile,
    PreprocessFile,
    RecipeFile,
    RunFile,
)
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
    head, check, layers = parsed.optimize.head, parsed.check, parsed.optimize.layers
    classes, palette = _classes(parsed)
    return Recipe(
        name=path.stem,
        checkpoint=_checkpoint(path, parsed.checkpoint),
        export=_export(parsed.export),
        preprocess=_preprocess(parsed.preprocess),
        head=HeadSpec(_head_op(parsed), head.axis, head.keepdims, head.output),
        compile=_compile(path, parsed.compile),
        check=CheckSpec(
            check.images, check.timeout, check.min_agreement, check.min_miou, check.min_cosine
        ),
        smoke=SmokeSpec(parsed.smoke.images, parsed.smoke.min_agreement),
        run=_run(parsed.run),
        evaluation=_images(path, parsed.evaluation),
        gates=Gates(**parsed.gates.model_dump()),
        classes=classes,
        palette=palette,
        layers=layers if isinstance(layers, int) else tuple(layers),
    )


def _export(given: ExportFile) -> ExportSpec:
    return ExportSpec(
        given.opset,
        given.input.name,
        given.output,
        given.input.shape,
        given.max_abs_diff,
        given.min_agreement,
    )


def _preprocess(given: PreprocessFile) -> Preprocess:
    mean, std = given.mean, given.std
    return Preprocess(
        (mean[0], mean[1], mean[2]),
        (std[0], std[1], std[2]),
        given.colour,
        given.fit,
        given.crop_edge,
        given.resample,
    )


def _compile(path: Path, given: CompileFile) -> CompileSpec:
    return CompileSpec(
        Target(given.target_hardware, given.npu_mode),
        _images(path, given.calibration),
        given.calibration_method,
        None if given.precision_analysis == "off" else given.precision_analysis,
        given.timeout,
        given.pulsar2,
    )


def _run(given: RunFile) -> RunSpec:
    return RunSpec(
        None if given.warmup == "auto" else given.warmup,
        given.iterations,
        given.timeout,
        given.min_duration,
        given.blocks,
        tuple(given.instruments),
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
