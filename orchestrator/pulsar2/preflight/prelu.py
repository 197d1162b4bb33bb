"""The slope of PRelu."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from orchestrator.pulsar2.preflight.findings import Finding, Level
from orchestrator.pulsar2.preflight.graph import View
from orchestrator.pulsar2.preflight.nodes import operand, place

if TYPE_CHECKING:
    from onnx import NodeProto

_IMAGE_RANK = 4


def check_prelu(node: NodeProto, view: View) -> Iterator[Finding]:
    """Ask for one slope a channel where the input is an image.

    (C, 1, 1) is the same as the listed (1, C, 1, 1), and is what PyTorch writes.
    """
    shape, slope = view.shapes.get(operand(node, 0)), view.shapes.get(operand(node, 1))
    if shape is None or slope is None or len(shape) != _IMAGE_RANK:
        return
    channels = shape[1]
    if isinstance(channels, str) or slope in {(channels,), (1, channels, 1, 1)}:
        return
    message = f"PRelu with a slope of shape {slope} for {channels} channels"
    advice = f"reshape it to (1, {channels}, 1, 1), one slope a channel"
    level: Level = "warn" if slope == (channels, 1, 1) else "refuse"
    yield Finding(level, "operand", place(node), message, advice)
