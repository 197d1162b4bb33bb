"""The values that travel between stages: frozen, slotted, free of behaviour that needs the world.

The words are those of the glossary (docs/reference/glossary.md).
"""

from orchestrator.domain.asked import (
    Board,
    Checkpoint,
    CompileSpec,
    ExportSpec,
    Fleet,
    Gates,
    HeadSpec,
    ImageSource,
    Preprocess,
    Recipe,
    RunSpec,
    ToolchainSpec,
)
from orchestrator.domain.basic import Artifact, Json, Rgb, Target, TensorSpec
from orchestrator.domain.found import (
    ActionRecord,
    Agreement,
    AxmodelHeader,
    BoardOutcome,
    CommandResult,
    Delivery,
    Judged,
    Measurement,
    Release,
    RunRecord,
    ToolchainIdentity,
    Verdict,
)

__all__ = [
    "ActionRecord",
    "Agreement",
    "Artifact",
    "AxmodelHeader",
    "Board",
    "BoardOutcome",
    "Checkpoint",
    "CommandResult",
    "CompileSpec",
    "Delivery",
    "ExportSpec",
    "Fleet",
    "Gates",
    "HeadSpec",
    "ImageSource",
    "Json",
    "Judged",
    "Measurement",
    "Preprocess",
    "Recipe",
    "Release",
    "Rgb",
    "RunRecord",
    "RunSpec",
    "Target",
    "TensorSpec",
    "ToolchainIdentity",
    "ToolchainSpec",
    "Verdict",
]
