"""What the sections of a recipe file have in common."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A part of the file: every key is known, and has the type that it is meant to have."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


Count = Annotated[int, Field(ge=1, le=1_000_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
TensorName = Annotated[str, Field(min_length=1, max_length=200)]


class ImagesFile(Section):
    """A folder of images, or a generator; neither: the command line names a folder."""

    folder: str | None = Field(None, description="folder of PNG or JPEG files")
    generator: Literal["street-scenes"] | None = None
    seed: Annotated[int, Field(ge=0)] = Field(0, description="first seed of the generator")
    size: Count = Field(32, description="how many images are used")
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
