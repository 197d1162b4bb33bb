"""What can be known of a build before it is paid for: the model, its config, its calibration.

findings = preflight(model, target, version, config, archives)
refuse(findings, "segformer-b0")
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestrator.domain import Json, Target
from orchestrator.pulsar2.preflight.calibration import check_calibration, check_calibrations
from orchestrator.pulsar2.preflight.findings import (
    CHECKS,
    COLUMNS,
    Finding,
    preflight_rows,
    refuse,
    refused,
)
from orchestrator.pulsar2.preflight.model import check_model, look_at

__all__ = [
    "CHECKS",
    "COLUMNS",
    "Finding",
    "check_calibration",
    "check_calibrations",
    "check_model",
    "preflight",
    "preflight_rows",
    "refuse",
    "refused",
]


def preflight(
    model: Path,
    target: Target,
    version: str,
    config: Mapping[str, Json],
    files: Mapping[str, Path],
) -> tuple[Finding, ...]:
    """Check a model by `check_model` and its archives by `check_calibrations`.

    Inputs whose shape is not fixed are refused, and their samples are not looked at.

    Raises:
        ConfigError: there is no ONNX file.
    """
    looked = look_at(model, target, version, config)
    return (*looked.findings, *check_calibrations(config, looked.inputs, files))
