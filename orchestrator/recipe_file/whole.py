"""The whole of a recipe file, and what its sections must not contradict each other in."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from orchestrator.pictures.palettes import PaletteName
from orchestrator.recipe_file.boards import GatesFile, RunFile, SmokeFile
from orchestrator.recipe_file.compiled import CheckFile, CompileFile
from orchestrator.recipe_file.fields import ImagesFile, Section
from orchestrator.recipe_file.model import CheckpointFile, ExportFile, OptimizeFile, PreprocessFile

_Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


def _named(classes: JsonValue) -> JsonValue:
    """Take a list of names for classes without colours of their own."""
    if not isinstance(classes, list):
        return classes
    names = [str(one) for one in classes]
    if taken := sorted({one for one in names if names.count(one) > 1}):
        raise ValueError(f"each wants a name of its own; more than once: {', '.join(taken)}")
    return dict.fromkeys(names)


class RecipeFile(Section):
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
    export: ExportFile
    preprocess: PreprocessFile
    optimize: OptimizeFile = Field(default_factory=OptimizeFile)
    compile: CompileFile = Field(default_factory=CompileFile)
    check: CheckFile = Field(default_factory=CheckFile)
    smoke: SmokeFile = Field(default_factory=SmokeFile)
    run: RunFile = Field(default_factory=RunFile)
    evaluation: ImagesFile = Field(default_factory=lambda: ImagesFile(size=16))
    gates: GatesFile = Field(default_factory=GatesFile)

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
