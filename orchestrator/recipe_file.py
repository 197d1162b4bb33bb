"""What a recipe file may hold: the pydantic models behind its JSON Schema."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)

from orchestrator.domain import Instrument, Task
from orchestrator.pictures.palettes import PaletteName


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


_Count = Annotated[int, Field(ge=1, le=1_000_000)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Positive = Annotated[float, Field(gt=0)]
_Seconds = Annotated[float, Field(gt=0, le=86_400)]
_TensorName = Annotated[str, Field(min_length=1, max_length=200)]
_Mean = Annotated[list[float], Field(min_length=3, max_length=3)]
_Std = Annotated[list[_Positive], Field(min_length=3, max_length=3)]


class ImagesFile(_Model):
    """A folder of images, or a generator; neither: the command line names a folder."""

    folder: str | None = Field(None, description="folder of PNG or JPEG files")
    generator: Literal["street-scenes"] | None = None
    seed: Annotated[int, Field(ge=0)] = Field(0, description="first seed of the generator")
    size: _Count = Field(32, description="how many images are used")
    masks: str | None = Field(
        None, description="folder of class-id PNG files, each named as its image"
    )

    @model_validator(mode="after")
    def _has_one_source(self) -> ImagesFile:
        if self.folder is not None and self.generator is not None:
            raise ValueError("give a folder or a generator, not both")
        if self.masks is not None and self.folder is None:
            raise ValueError("masks belong to a folder of images: give folder as well")
        return self


class CheckpointFile(_Model):
    """The weights, or a model that has been exported already."""

    source: str | None = Field(
        None, description="hub id, folder, or `package:NAME` for one that orch ships"
    )
    onnx: str | None = Field(None, description="an ONNX file of your own, in place of a source")
    revision: str | None = Field(None, description="commit, tag or branch on the hub")
    task: Task = "semantic-segmentation"

    @model_validator(mode="after")
    def _has_one_source(self) -> CheckpointFile:
        if (self.source is None) == (self.onnx is None):
            raise ValueError("give either source or onnx")
        return self


class _Input(_Model):
    name: _TensorName = "input"
    shape: tuple[Literal[1], Literal[3], _Count, _Count] = Field(
        strict=False, description="1, 3, H, W: one colour image at a time"
    )


class _Export(_Model):
    """The ONNX file that is exported, and how well it must agree with torch."""

    opset: Annotated[int, Field(ge=11, le=17)] = 11
    input: _Input
    output: _TensorName = "logits"
    max_abs_diff: _Positive = Field(1e-3, description="largest difference of any logit")
    min_agreement: _Share = Field(0.999, description="share of pixels with the same class")


class _Preprocess(_Model):
    """(x - mean) / std per channel, on 0..255."""

    mean: _Mean
    std: _Std
    colour: Literal["RGB", "BGR"] = "RGB"
    fit: Literal["stretch", "crop"] = Field(
        "stretch", description="to the input's size, or the middle of it after resizing"
    )
    crop_edge: _Count | None = Field(
        None, description="with fit: crop, what the shorter edge is resized to before"
    )
    resample: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"


class _Head(_Model):
    op: Literal["argmax", "none"] | None = Field(
        None, description="argmax for class maps only; left out: argmax for them, else none"
    )
    axis: Annotated[int, Field(ge=1, le=3)] = 1
    keepdims: bool = True
    output: _TensorName = "argmax_output"


class _Optimize(_Model):
    """What is done to the graph after simplification."""

    head: _Head = Field(default_factory=_Head)
    layers: Annotated[int, Field(ge=0, le=100)] | Annotated[list[_TensorName], Field()] = Field(
        0, description="tensors that become outputs too, by name or how many: orch diverge"
    )


#: Keys of the build config that decide what is built and where it goes.
_OURS = {"input", "output_dir", "output_name", "work_dir", "model_type"} | {
    "target_hardware",
    "npu_mode",
    "input_shapes",
}


class _Compile(_Model):
    """What `pulsar2 build` is asked for."""

    target_hardware: str = "AX650"
    npu_mode: Literal["NPU1", "NPU2", "NPU3", "NPU4"] = "NPU3"
    calibration: ImagesFile = Field(default_factory=ImagesFile)
    calibration_method: Literal["MinMax", "Percentile", "MSE", "KL"] = "MinMax"
    precision_analysis: Literal["off", "PerLayer", "EndToEnd"] = Field(
        "off", description="similarity of every layer to the float model; takes minutes"
    )
    timeout: _Seconds = Field(7200, description="seconds")
    pulsar2: dict[str, JsonValue] = Field(
        default_factory=dict, description="raw keys merged over the build config"
    )

    @field_validator("pulsar2")
    @classmethod
    def _leaves_ours_alone(cls, keys: dict[str, JsonValue]) -> dict[str, JsonValue]:
        # Protobuf, and so the build config, takes npuMode for npu_mode.
        if taken := [
            key for key in sorted(keys) if re.sub("[A-Z]", r"_\g<0>", key).lower() in _OURS
        ]:
            raise ValueError(f"{', '.join(taken)}: set by orch; use the recipe's own keys")
        return keys


class _Check(_Model):
    """What the compiled model must do under `pulsar2 run` before any board gets it."""

    images: Annotated[int, Field(ge=0, le=10_000)] = Field(
        4, description="evaluation images it runs on; 0 leaves the check out"
    )
    timeout: _Seconds = Field(3600, description="seconds")
    min_agreement: _Share | None = Field(None, description="pixel agreement with the float model")
    min_miou: _Share | None = Field(None, description="mIoU against the float model")
    min_cosine: _Share | None = Field(None, description="of every float output")


class _Smoke(_Model):
    """What a release must do on a board before it becomes the current one there."""

    images: Annotated[int, Field(ge=0, le=100)] = Field(
        1, description="evaluation images it runs on; 0 leaves the proof out"
    )
    min_agreement: _Share = Field(
        0.95, description="pixel agreement with `pulsar2 run`, or with the float model"
    )


_OUR_INSTRUMENT: Instrument = "axengine"


class _Run(_Model):
    """How a board is measured."""

    warmup: Annotated[int, Field(ge=0, le=100_000)] | Literal["auto"] = Field(
        "auto", description="runs that do not count; auto: until they have settled"
    )
    iterations: _Count = Field(200, description="samples; at least so many with min_duration")
    min_duration: _Seconds | None = Field(None, description="seconds that they last at least")
    blocks: Annotated[int, Field(ge=1, le=1000)] = Field(
        10, description="blocks of samples; sensors are read between them"
    )
    timeout: _Seconds = Field(600, description="seconds")
    instruments: Annotated[list[Instrument], Field(min_length=1, max_length=2)] = Field(
        default_factory=lambda: [_OUR_INSTRUMENT],
        description="what times the model: axengine, and ax_run_model beside it",
    )

    @field_validator("instruments")
    @classmethod
    def _begins_with_ours(cls, names: list[Instrument]) -> list[Instrument]:
        if names[0] != _OUR_INSTRUMENT or len(set(names)) < len(names):
            raise ValueError("axengine comes first, ax_run_model may stand beside it")
        return names


class _Gates(_Model):
    """Rules that fail a run with exit code 3; left out: no rule."""

    min_agreement: _Share | None = Field(None, description="pixel agreement with the float model")
    min_miou: _Share | None = Field(None, description="mIoU against the float model")
    max_p50_ms: _Positive | None = None
    max_p90_ms: _Positive | None = None
    max_p99_ms: _Positive | None = Field(None, description="wants 300 samples or more")
    min_mask_miou: _Share | None = Field(None, description="mIoU against the masks")
    max_mask_miou_loss: _Share | None = Field(
        None, description="how far mIoU against the masks may be below the float model's"
    )


_Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


def _named(classes: JsonValue) -> JsonValue:
    """Take a list of names for classes without colours of their own."""
    if not isinstance(classes, list):
        return classes
    names = [str(one) for one in classes]
    if taken := sorted({one for one in names if names.count(one) > 1}):
        raise ValueError(f"each wants a name of its own; more than once: {', '.join(taken)}")
    return dict.fromkeys(names)


class RecipeFile(_Model):
    """What to build and how to judge it."""

    checkpoint: CheckpointFile
    classes: Annotated[
        dict[str, _Colour | None],
        Field(max_length=1000),
        BeforeValidator(_named, json_schema_input_type=dict[str, _Colour | None] | list[str]),
    ] = Field(
        default_factory=dict,
        description="class names in the order of their ids; with or without their colours",
    )
    palette: PaletteName | Annotated[list[_Colour], Field(min_length=1)] | None = Field(
        None, description="colours of the classes: a data set's, which may name them too, or a list"
    )
    export: _Export
    preprocess: _Preprocess
    optimize: _Optimize = Field(default_factory=_Optimize)
    compile: _Compile = Field(default_factory=_Compile)
    check: _Check = Field(default_factory=_Check)
    smoke: _Smoke = Field(default_factory=_Smoke)
    run: _Run = Field(default_factory=_Run)
    evaluation: ImagesFile = Field(default_factory=lambda: ImagesFile(size=16))
    gates: _Gates = Field(default_factory=_Gates)

    @model_validator(mode="after")
    def _has_classes(self) -> RecipeFile:
        least = 2 if self.checkpoint.task == "semantic-segmentation" else 0
        if len(self.classes) < least and not isinstance(self.palette, str):
            raise ValueError(f"classes: {self.checkpoint.task} wants {least} or more")
        return self

    @model_validator(mode="after")
    def _has_colours_once(self) -> RecipeFile:
        if any(self.classes.values()) and self.palette is not None:
            raise ValueError("classes have their colours already: leave out the palette, or them")
        if isinstance(self.palette, list) and len(self.palette) != len(self.classes):
            counts = f"{len(self.palette)} colours for {len(self.classes)} classes"
            raise ValueError(f"palette: {counts}")
        return self

    @model_validator(mode="after")
    def _has_an_edge_to_crop_from(self) -> RecipeFile:
        edge, longer = self.preprocess.crop_edge, max(self.export.input.shape[2:])
        if edge is not None and self.preprocess.fit != "crop":
            raise ValueError("preprocess.crop_edge: goes with fit: crop")
        if edge is not None and edge < longer:
            raise ValueError(f"preprocess.crop_edge: {edge} does not cover an input of {longer}")
        return self

    @model_validator(mode="after")
    def _has_a_head_that_fits(self) -> RecipeFile:
        task = self.checkpoint.task
        if self.optimize.head.op == "argmax" and task != "semantic-segmentation":
            raise ValueError(f"optimize.head.op: argmax is for class maps, {task} has none")
        return self

    @model_validator(mode="after")
    def _has_a_name_for_each_tensor(self) -> RecipeFile:
        names = [self.export.input.name, self.export.output, self.optimize.head.output]
        if len(set(names)) < len(names):
            raise ValueError("export.input.name, export.output and head.output must differ")
        return self
