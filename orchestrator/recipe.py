"""A recipe file → what to build and how to judge it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from orchestrator.domain import (
    Checkpoint,
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
    Target,
)
from orchestrator.errors import ConfigError
from orchestrator.yaml_file import explain, read_yaml

#: Where the recipes lie that come with orch.
SHIPPED = Path(__file__).parent / "recipes"
#: A recipe's name begins the names of its releases, which are folders on boards.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


_Count = Annotated[int, Field(ge=1, le=1_000_000)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Positive = Annotated[float, Field(gt=0)]
_Seconds = Annotated[float, Field(gt=0, le=86_400)]
_Mean = Annotated[list[float], Field(min_length=3, max_length=3)]
_Std = Annotated[list[_Positive], Field(min_length=3, max_length=3)]


class _Images(_Model):
    """A folder of images, or a generator; neither: the command line names a folder."""

    folder: str | None = Field(None, description="folder of PNG or JPEG files")
    generator: Literal["street-scenes"] | None = None
    seed: int = Field(0, description="first seed of the generator")
    size: _Count = Field(32, description="how many images are used")

    @model_validator(mode="after")
    def _has_one_source(self) -> _Images:
        if self.folder is not None and self.generator is not None:
            raise ValueError("give a folder or a generator, not both")
        return self


class _Checkpoint(_Model):
    """The weights."""

    source: str = Field(description="hub id, folder, or `package:NAME` for one that orch ships")
    revision: str | None = Field(None, description="commit, tag or branch on the hub")
    task: Literal["semantic-segmentation"] = "semantic-segmentation"


class _Input(_Model):
    name: str = "input"
    shape: tuple[Literal[1], Literal[3], _Count, _Count] = Field(
        strict=False, description="1, 3, H, W: one colour image at a time"
    )


class _Export(_Model):
    """The ONNX file that is exported, and how well it must agree with torch."""

    opset: Annotated[int, Field(ge=11, le=17)] = 11
    input: _Input
    output: str = "logits"
    max_abs_diff: _Positive = Field(1e-3, description="largest difference of any logit")
    min_agreement: _Share = Field(0.999, description="share of pixels with the same class")


class _Preprocess(_Model):
    """(x - mean) / std per channel, on 0..255."""

    mean: _Mean
    std: _Std
    colour: Literal["RGB", "BGR"] = "RGB"


class _Head(_Model):
    op: Literal["argmax", "none"] = "argmax"
    axis: Annotated[int, Field(ge=1, le=3)] = 1
    keepdims: bool = True
    output: str = "argmax_output"


class _Optimize(_Model):
    """What is done to the graph after simplification."""

    head: _Head = Field(default_factory=_Head)


class _Compile(_Model):
    """What `pulsar2 build` is asked for."""

    target_hardware: str = "AX650"
    npu_mode: Literal["NPU1", "NPU2", "NPU3", "NPU4"] = "NPU3"
    calibration: _Images = Field(default_factory=_Images)
    calibration_method: Literal["MinMax", "Percentile", "MSE", "KL"] = "MinMax"
    timeout: _Seconds = Field(7200, description="seconds")
    pulsar2: dict[str, JsonValue] = Field(
        default_factory=dict, description="raw keys merged over the build config"
    )


class _Run(_Model):
    """How a board is measured."""

    warmup: Annotated[int, Field(ge=0, le=100_000)] = 10
    iterations: _Count = 200
    timeout: _Seconds = Field(600, description="seconds")


class _Gates(_Model):
    """Rules that fail a run with exit code 3; left out: no rule."""

    min_agreement: _Share | None = Field(None, description="pixel agreement with the float model")
    min_miou: _Share | None = Field(None, description="mIoU against the float model")
    max_p50_ms: _Positive | None = None


_Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class _Recipe(_Model):
    """What to build and how to judge it."""

    checkpoint: _Checkpoint
    classes: Annotated[dict[str, _Colour], Field(min_length=2, max_length=256)] = Field(
        description="class names in the order of their ids, each with its colour in overlays"
    )
    export: _Export
    preprocess: _Preprocess
    optimize: _Optimize = Field(default_factory=_Optimize)
    compile: _Compile = Field(default_factory=_Compile)
    run: _Run = Field(default_factory=_Run)
    evaluation: _Images = Field(default_factory=lambda: _Images(size=16))
    gates: _Gates = Field(default_factory=_Gates)


def recipe_schema() -> dict[str, Json]:
    """Give the JSON Schema of a recipe."""
    return _Recipe.model_json_schema()


def shipped_recipes() -> list[str]:
    """Give the names of the recipes that come with orch."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load_recipe(name: str) -> Recipe:
    """Read a recipe by its shipped name or by the path of a YAML file. Raises ConfigError."""
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        path = SHIPPED / f"{name}.yaml"
        if not path.is_file():
            hint = f"shipped: {', '.join(shipped_recipes())}; or give the path of a .yaml file"
            raise ConfigError(f"no recipe named {name!r}", hint)
    if not _NAME.fullmatch(path.stem):
        raise ConfigError(f"{path}: its name must fit {_NAME.pattern}", "rename the file")
    file = read_yaml(path)
    try:
        parsed = _Recipe.model_validate(file.data)
    except ValidationError as error:
        raise explain(file, error.errors(), recipe_schema()) from None
    return _recipe(path, parsed)


def _recipe(path: Path, parsed: _Recipe) -> Recipe:
    export, build, head = parsed.export, parsed.compile, parsed.optimize.head
    mean, std = parsed.preprocess.mean, parsed.preprocess.std
    return Recipe(
        name=path.stem,
        checkpoint=Checkpoint(
            parsed.checkpoint.source, parsed.checkpoint.revision, parsed.checkpoint.task
        ),
        export=ExportSpec(
            export.opset,
            export.input.name,
            export.output,
            export.input.shape,
            export.max_abs_diff,
            export.min_agreement,
        ),
        preprocess=Preprocess(
            (mean[0], mean[1], mean[2]), (std[0], std[1], std[2]), parsed.preprocess.colour
        ),
        head=HeadSpec(head.op, head.axis, head.keepdims, head.output),
        compile=CompileSpec(
            Target(build.target_hardware, build.npu_mode),
            _images(path, build.calibration),
            build.calibration_method,
            build.timeout,
            build.pulsar2,
        ),
        run=RunSpec(parsed.run.warmup, parsed.run.iterations, parsed.run.timeout),
        evaluation=_images(path, parsed.evaluation),
        gates=Gates(parsed.gates.min_agreement, parsed.gates.min_miou, parsed.gates.max_p50_ms),
        classes=tuple(parsed.classes),
        palette=tuple(_rgb(colour) for colour in parsed.classes.values()),
    )


def _images(path: Path, images: _Images) -> ImageSource:
    folder = (
        None
        if images.folder is None
        else str((path.parent / Path(images.folder).expanduser()).resolve())
    )
    return ImageSource(folder, images.generator, images.seed, images.size)


def _rgb(colour: str) -> Rgb:
    value = int(colour[1:], 16)
    return (value >> 16, value >> 8 & 255, value & 255)
