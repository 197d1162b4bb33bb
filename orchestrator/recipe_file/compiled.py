"""The sections that say how it is compiled, and what the compiled model must do."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, JsonValue, field_validator

from orchestrator.recipe_file.fields import ImagesFile, Seconds, Section, Share

#: Keys of the build config that decide what is built and where it goes.
_OURS = {"input", "output_dir", "output_name", "work_dir", "model_type"} | {
    "target_hardware",
    "npu_mode",
    "input_shapes",
}


class CompileFile(Section):
    """What `pulsar2 build` is asked for."""

    target_hardware: str = "AX650"
    npu_mode: Literal["NPU1", "NPU2", "NPU3", "NPU4"] = "NPU3"
    calibration: ImagesFile = Field(default_factory=ImagesFile)
    calibration_method: Literal["MinMax", "Percentile", "MSE", "KL"] = "MinMax"
    precision_analysis: Literal["off", "PerLayer", "EndToEnd"] = Field(
        "off", description="similarity of every layer to the float model; takes minutes"
    )
    timeout: Seconds = Field(7200, description="seconds")
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


class CheckFile(Section):
    """What the compiled model must do under `pulsar2 run` before any board gets it."""

    images: Annotated[int, Field(ge=0, le=10_000)] = Field(
        4, description="evaluation images it runs on; 0 leaves the check out"
    )
    timeout: Seconds = Field(3600, description="seconds")
    min_agreement: Share | None = Field(None, description="pixel agreement with the float model")
    min_miou: Share | None = Field(None, description="mIoU against the float model")
    min_cosine: Share | None = Field(None, description="of every float output")
