"""The sections that say what boards must do, and how they are measured."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from orchestrator.domain import Instrument
from orchestrator.recipe_file.fields import Count, Positive, Seconds, Section, Share


class SmokeFile(Section):
    """What a release must do on a board before it becomes the current one there."""

    images: Annotated[int, Field(ge=0, le=100)] = Field(
        1, description="evaluation images it runs on; 0 leaves the proof out"
    )
    min_agreement: Share = Field(
        0.95, description="pixel agreement with `pulsar2 run`, or with the float model"
    )


_OUR_INSTRUMENT: Instrument = "axengine"


class RunFile(Section):
    """How a board is measured."""

    warmup: Annotated[int, Field(ge=0, le=100_000)] | Literal["auto"] = Field(
        "auto", description="runs that do not count; auto: until they have settled"
    )
    iterations: Count = Field(200, description="samples; at least so many with min_duration")
    min_duration: Seconds | None = Field(None, description="seconds that they last at least")
    blocks: Annotated[int, Field(ge=1, le=1000)] = Field(
        10, description="blocks of samples; sensors are read between them"
    )
    timeout: Seconds = Field(600, description="seconds")
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


class GatesFile(Section):
    """Rules that fail a run with exit code 3; left out: no rule."""

    min_agreement: Share | None = Field(None, description="pixel agreement with the float model")
    min_miou: Share | None = Field(None, description="mIoU against the float model")
    max_p50_ms: Positive | None = None
    max_p90_ms: Positive | None = None
    max_p99_ms: Positive | None = Field(None, description="wants 300 samples or more")
    min_mask_miou: Share | None = Field(None, description="mIoU against the masks")
    max_mask_miou_loss: Share | None = Field(
        None, description="how far mIoU against the masks may be below the float model's"
    )
