"""The sections that say which model it is and what its graph becomes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from orchestrator.domain import Task
from orchestrator.recipe_file.fields import Count, Positive, Section, Share, TensorName

_Mean = Annotated[list[float], Field(min_length=3, max_length=3)]
_Std = Annotated[list[Positive], Field(min_length=3, max_length=3)]


class CheckpointFile(Section):
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


class InputFile(Section):
    """The input of the ONNX file."""

    name: TensorName = "input"
    shape: tuple[Literal[1], Literal[3], Count, Count] = Field(
        strict=False, description="1, 3, H, W: one colour image at a time"
    )


class ExportFile(Section):
    """The ONNX file that is exported, and how well it must agree with torch."""

    opset: Annotated[int, Field(ge=11, le=17)] = 11
    input: InputFile
    output: TensorName = "logits"
    max_abs_diff: Positive = Field(1e-3, description="largest difference of any logit")
    min_agreement: Share = Field(0.999, description="share of pixels with the same class")


class PreprocessFile(Section):
    """(x - mean) / std per channel, on 0..255."""

    mean: _Mean
    std: _Std
    colour: Literal["RGB", "BGR"] = "RGB"
    fit: Literal["stretch", "crop"] = Field(
        "stretch", description="to the input's size, or the middle of it after resizing"
    )
    crop_edge: Count | None = Field(
        None, description="with fit: crop, what the shorter edge is resized to before"
    )
    resample: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"


class HeadFile(Section):
    """What is put on the end of the graph."""

    op: Literal["argmax", "none"] | None = Field(
        None, description="argmax for class maps only; left out: argmax for them, else none"
    )
    axis: Annotated[int, Field(ge=1, le=3)] = 1
    keepdims: bool = True
    output: TensorName = "argmax_output"


class OptimizeFile(Section):
    """What is done to the graph after simplification."""

    head: HeadFile = Field(default_factory=HeadFile)
    layers: Annotated[int, Field(ge=0, le=100)] | Annotated[list[TensorName], Field()] = Field(
        0, description="tensors that become outputs too, by name or how many: orch diverge"
    )
