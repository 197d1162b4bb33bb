"""Resize: which kinds are the same as the listed one, how large it may be, where it is in vain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from orchestrator.pulsar2.preflight.findings import Finding
from orchestrator.pulsar2.preflight.graph import View
from orchestrator.pulsar2.preflight.nodes import attribute, operand, place

if TYPE_CHECKING:
    from onnx import NodeProto

_LISTED = "round_prefer_ceil"
#: They repeat each pixel when the factors are whole, as the listed mode does with half_pixel.
_REPEATS = {
    ("asymmetric", "floor"),
    ("half_pixel", "round_prefer_floor"),
    ("half_pixel", "round_prefer_ceil"),
}
#: `integer 84599 does not fit uint16_t` is what a length above it ends in, after minutes.
_LONGEST_AXIS = 65535
#: What may stand between the enlarged logits and the output.
_AFTER_LOGITS = {"ArgMax", "Cast", "Identity", "LogSoftmax", "Sigmoid", "Softmax", "Squeeze"}
_LONGEST_TAIL = 8
#: An output of more channels is no picture, that of a super-resolution model say.
_OF_PICTURES = 4
_IMAGE_RANK = 4
_CHANNELS, _HEIGHT, _WIDTH = 1, 2, 3


def check_resize(node: NodeProto, view: View) -> Iterator[Finding]:
    """Check the rounding of `nearest`, that the size is constant, and that it is not too large."""
    for name in node.input[2:]:
        if name and name not in view.folded:
            message = f"Resize with {name}, which is computed from the model's input"
            yield Finding("refuse", "resize", place(node), message, "fix the size at export")
    if attribute(node, "mode") in {None, "nearest"}:
        yield from _check_rounding(node, view)
    for axis, length in enumerate(view.shapes.get(node.output[0]) or ()):
        if isinstance(length, int) and length > _LONGEST_AXIS:
            message = f"Resize makes axis {axis} {length} long; above {_LONGEST_AXIS} it overflows"
            advice = "leave the enlargement out, and do it on the host"
            yield Finding("refuse", "resize", place(node), message, advice)


def _check_rounding(node: NodeProto, view: View) -> Iterator[Finding]:
    rounding = attribute(node, "nearest_mode") or "round_prefer_floor"
    if rounding == _LISTED:
        return
    place_of_pixels = attribute(node, "coordinate_transformation_mode") or "half_pixel"
    message = f"Resize nearest with nearest_mode={rounding}; only {_LISTED} is listed"
    if (place_of_pixels, rounding) in _REPEATS and _has_whole_factors(node, view):
        advice = f"the same pixels: half_pixel with {_LISTED}"
        yield Finding("warn", "resize", place(node), message, advice)
        return
    yield Finding("refuse", "resize", place(node), message, f"set nearest_mode={_LISTED}")


def _has_whole_factors(node: NodeProto, view: View) -> bool:
    factors = _factors(node, view)
    return factors is not None and all(one >= 1 and one == int(one) for one in factors)


def _factors(node: NodeProto, view: View) -> tuple[float, ...] | None:
    before, after = view.shapes.get(operand(node, 0)), view.shapes.get(node.output[0])
    if before is None or after is None or len(before) != len(after):
        return None
    factors = []
    for old, new in zip(before, after, strict=True):
        if isinstance(old, str) or isinstance(new, str) or old == 0:
            return None
        factors.append(new / old)
    return tuple(factors)


def check_upsample(view: View) -> Iterator[Finding]:
    """Warn where the last thing that a segmentation model does is to enlarge its logits."""
    for output in view.outputs:
        passed: list[str] = []
        node = view.made_by.get(output.name)
        while node is not None and node.op_type in _AFTER_LOGITS and len(passed) < _LONGEST_TAIL:
            passed.append(node.op_type)
            node = view.made_by.get(operand(node, 0))
        if node is None or node.op_type != "Resize":
            continue
        factors, shape = _factors(node, view), view.shapes.get(node.output[0])
        if factors is None or shape is None or len(shape) != _IMAGE_RANK:
            continue
        channels = shape[_CHANNELS]
        are_logits = isinstance(channels, int) and channels > (1 if passed else _OF_PICTURES)
        if are_logits and factors[_HEIGHT] > 1 and factors[_WIDTH] > 1:
            message = (
                f"Resize enlarges {channels} channels {factors[_HEIGHT]:g} x {factors[_WIDTH]:g} "
                f"times right before {' and '.join(passed[::-1]) or 'the output'}"
            )
            advice = "leave it out: ArgMax at the low resolution, enlarge the classes on the host"
            yield Finding("warn", "upsample", place(node), message, advice)
