"""A node against one rule: what is wrong with an attribute or an input of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.pulsar2.preflight.graph import Shape, View
from orchestrator.pulsar2.preflight.nodes import Value, attribute, operand, shown
from orchestrator.pulsar2.preflight.operators import AttributeRule, InputRule

if TYPE_CHECKING:
    from onnx import NodeProto


def attribute_problem(rule: AttributeRule, node: NodeProto, view: View) -> str:
    """Give what is wrong with the attribute; nothing is: an empty text."""
    if not _matters(rule, node, view):
        return ""
    value = attribute(node, rule.name)
    what = f"{node.op_type} with {rule.name}"
    if rule.written:
        return f"{what} left out was seen to crash" if value is None else ""
    if rule.unsupported:
        bad = value is not None and not _is_default(value, rule.default)
        return f"{what} is not supported" if bad else ""
    found = rule.default if value is None else value
    if found is None or _fits(rule, found, node, view):
        return ""
    given = shown(_named(rule.name, found, node))
    spelled = f" left out, which is {given}" if value is None else f"={given}"
    return rule.message or f"{what}{spelled}; {_wanted(rule)}"


def _fits(rule: AttributeRule, found: Value, node: NodeProto, view: View) -> bool:
    if rule.last_axis:
        rank = view.rank(operand(node, 0))
        return found == -1 or (rank is not None and found == rank - 1)
    if rule.every is not None:
        return isinstance(found, tuple) and all(one == rule.every for one in found)
    if rule.bars:
        return found not in rule.bars
    return _named(rule.name, found, node) in rule.only


def _wanted(rule: AttributeRule) -> str:
    if rule.last_axis:
        return "only the last axis is taken"
    if rule.every is not None:
        return f"only {rule.every} is taken"
    if rule.bars:
        return f"{shown(rule.bars)} is not taken"
    return f"only {', '.join(shown(one) for one in rule.only)} is taken"


def _is_default(value: Value, default: Value | None) -> bool:
    """Compare with what ONNX takes anyway; a list may be that several times (two directions)."""
    if isinstance(value, tuple) and isinstance(default, tuple) and default:
        return value == default * (len(value) // len(default))
    return value == default


def _named(name: str, value: Value, node: NodeProto) -> Value:
    """Give a type of Cast by its name."""
    from onnx import TensorProto

    if name == "to" and node.op_type == "Cast" and isinstance(value, int):
        return str(TensorProto.DataType.Name(value))
    return value


def _matters(rule: AttributeRule, node: NodeProto, view: View) -> bool:
    if rule.when == "padded":
        pads = attribute(node, "pads")
        return (isinstance(pads, tuple) and any(pads)) or _pads_itself(node)
    if rule.when == "grouped":
        group = attribute(node, "group")
        return isinstance(group, int) and group > 1
    if rule.when == "casting":
        source = view.dtypes.get(operand(node, 0))
        return source is None or source != attribute(node, "to")
    return True


def _pads_itself(node: NodeProto) -> bool:
    return attribute(node, "auto_pad") in {"SAME_UPPER", "SAME_LOWER"}


def input_problem(rule: InputRule, node: NodeProto, view: View) -> str:
    """Give what is wrong with the input; nothing is, or it is left out: an empty text."""
    name = operand(node, rule.index)
    if not name:
        return ""
    what = f"{node.op_type} with {name}"
    if rule.absent:
        return f"{what} as input {rule.index} is not supported"
    if rule.constant and name not in view.folded:
        return f"{what}, which is computed from the model's input; it must be a constant"
    values = view.values(name)
    if rule.values and values and not set(values) <= set(rule.values):
        return f"{what} = {shown(values)}"
    problem = _shape_problem(rule, view.shapes.get(name))
    return f"{what} {problem}" if problem else ""


def _shape_problem(rule: InputRule, shape: Shape) -> str:
    if shape is None:
        return ""
    if rule.max_rank is not None and len(shape) > rule.max_rank:
        return f"of {len(shape)} dimensions; at most {rule.max_rank} is taken"
    count = _count(shape)
    if rule.elements is not None and count is not None and count != rule.elements:
        return f"of {count} numbers; it must be {rule.elements}"
    return ""


def _count(shape: tuple[int | str, ...]) -> int | None:
    count = 1
    for length in shape:
        if isinstance(length, str):
            return None
        count *= length
    return count
