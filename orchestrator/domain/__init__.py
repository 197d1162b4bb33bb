"""The values that travel between stages: frozen, slotted, free of behaviour that needs the world.

The words are those of the glossary (docs/reference/glossary.md).
"""

from orchestrator.domain.asked import (
    Board,
    Checkpoint,
    CheckSpec,
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
    OutputDifference,
    Release,
    RunRecord,
    ToolchainIdentity,
    Verdict,
)
from orchestrator.domain.kept import KeptAction, KeptRelease, StoredBlob

__all__ = [
    "ActionRecord",
    "Agreement",
    "Artifact",
    "AxmodelHeader",
    "Board",
    "BoardOutcome",
    "CheckSpec",
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
    "KeptAction",
    "KeptRelease",
    "Measurement",
    "OutputDifference",
    "Preprocess",
    "Recipe",
    "Release",
    "Rgb",
    "RunRecord",
    "RunSpec",
    "StoredBlob",
    "Target",
    "TensorSpec",
    "ToolchainIdentity",
    "ToolchainSpec",
    "Verdict",
]
