"""What a node is called, and what its attributes are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import NodeProto

Value = int | float | str | tuple[int | float | str, ...]


def place(node: NodeProto) -> str:
    """Name a node as its author would look for it."""
    if node.name:
        return str(node.name)
    return f"{node.op_type} giving {node.output[0]}" if node.output else str(node.op_type)


def operand(node: NodeProto, index: int) -> str:
    """Give the name of an input; one that is left out has an empty one."""
    return str(node.input[index]) if index < len(node.input) else ""


def attribute(node: NodeProto, name: str) -> Value | None:
    """Give an attribute: texts decoded, lists as tuples; None: it is left out."""
    from onnx import helper

    for one in node.attribute:
        if one.name == name:
            value = helper.get_attribute_value(one)
            if isinstance(value, bytes):
                return value.decode(errors="replace")
            if isinstance(value, int | float):
                return value
            items = (one.decode() if isinstance(one, bytes) else one for one in value)
            return tuple(items)
    return None


def shown(value: Value) -> str:
    """Write a value as messages do."""
    if isinstance(value, tuple):
        return ", ".join(shown(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
