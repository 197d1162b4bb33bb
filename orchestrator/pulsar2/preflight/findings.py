"""What the preflight found, and how it is said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.errors import PreflightError

Level = Literal["refuse", "warn"]

#: Every check and what it asks; the reference (docs/reference/preflight.md) lists the same.
CHECKS = {
    "file": "the file is a whole ONNX model, its external data is there, and it is 2 GB or less",
    "target": "this version of Pulsar2 has the target, and the target the NPU mode",
    "opset": "the opset is 11 or newer, and not newer than published models are",
    "domain": "every operator is plain ONNX",
    "operator": "the target has the operator",
    "attribute": "the target takes the operator with these attributes",
    "operand": "the operator's inputs are what the target takes",
    "resize": "a Resize is of a kind and size that the target takes",
    "upsample": "the logits are not enlarged at the end",
    "shape": "every shape is fixed",
    "dtype": "tensors are of types that the chip has",
    "names": "tensors that the config names are in the model",
    "coverage": "every input has its calibration",
    "layers": "entries of layer_configs reach an operator",
    "fp32": "FP32 is asked of operators that obey it",
    "archive": "the calibration archive can be unpacked, and holds only samples",
    "count": "there are enough calibration samples, and every input has the same ones",
    "sample": "every sample has the dtype and shape of the input, batch axis included",
    "values": "samples hold finite numbers that differ",
    "image": "images can be decoded, and have as many channels as the model",
    "scale": "mean, std and the samples agree on what the model is fed",
}

#: As many as a person reads before going to repair the first.
_MOST_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that would fail the build, or that a person should know before it.

    Attributes:
        check: a key of CHECKS.
        where: a node, a tensor, a key of the config or a file in an archive.
        advice: what to do; may be empty.
    """

    level: Level
    check: str
    where: str
    message: str
    advice: str = ""


def refused(findings: Iterable[Finding]) -> list[Finding]:
    """Give those that would fail the build."""
    return [one for one in findings if one.level == "refuse"]


def refuse(findings: Iterable[Finding], subject: str) -> None:
    """End here when anything would fail the build.

    Args:
        findings: of all checks.
        subject: what the message calls the model.

    Raises:
        PreflightError: it lists each refused thing with its advice.
    """
    bad = refused(findings)
    if not bad:
        return
    things = "1 thing" if len(bad) == 1 else f"{len(bad)} things"
    lines = [f"{subject}: pulsar2 would refuse {things}:"]
    for one in bad[:_MOST_SHOWN]:
        advice = f" -> {one.advice}" if one.advice else ""
        lines.append(f"  {one.where}: {one.message}{advice}")
    if len(bad) > _MOST_SHOWN:
        lines.append(f"  and {len(bad) - _MOST_SHOWN} more")
    raise PreflightError("\n".join(lines), "`orch preflight` lists all, with warnings")


#: The header over `preflight_rows`.
COLUMNS = ("level", "check", "where", "what", "advice")


def preflight_rows(findings: Sequence[Finding]) -> list[tuple[str, str, str, str, str]]:
    """Give a row for each thing to repair, refused ones first.

    What many nodes have in common is one row, which names the first of them.
    """
    places: dict[tuple[str, str, str, str], list[str]] = {}
    for one in sorted(findings, key=lambda finding: finding.level != "refuse"):
        key = (one.level, one.check, one.message, one.advice)
        places.setdefault(key, []).append(one.where)
    rows = []
    for (level, check, message, advice), where in places.items():
        more = f" and {len(where) - 1} more" if len(where) > 1 else ""
        rows.append((level, check, where[0] + more, message, advice))
    return rows
