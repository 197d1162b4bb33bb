"""`quant.layer_configs`: which layers they name, and the types that they give them."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import onnx

from .config import messages, strings, text
from .failure import ToolFailure
from .graph import Links
from .schema import Json

DEFAULT = "DEFAULT"
QUANTIZED_TYPES = ("U8", "S8", "U16", "S16")
_TYPES = (*QUANTIZED_TYPES, "FP32")
_WEIGHT_TYPES = ("S8", "FP32")
_UNSET = "DefaultDataType"


@dataclass(frozen=True, slots=True)
class LayerConfig:
    """One entry: layers by name, by op type or between tensors; "" is a type that is not set."""

    names: tuple[str, ...]
    op_types: tuple[str, ...]
    starts: tuple[str, ...]
    ends: tuple[str, ...]
    data_type: str
    weight_type: str
    output_type: str


@dataclass(frozen=True, slots=True)
class Selection:
    """The layers that an entry names, and what the log says of names that there are not."""

    layers: frozenset[str]
    remarks: tuple[str, ...]


def layer_configs(quant: Mapping[str, Json]) -> tuple[LayerConfig, ...]:
    """Give the entries in their order. Raises ToolFailure."""
    return tuple(
        _entry(entry, index) for index, entry in enumerate(messages(quant, "layer_configs"))
    )


def select(config: LayerConfig, model: onnx.ModelProto) -> Selection:
    """Find the layers of one entry in the rewritten float model."""
    if config.starts or config.ends:
        return _between(config, model)
    nodes = model.graph.node
    names = {node.name for node in nodes}
    remarks = [_unknown("layer", name, names) for name in config.names if name not in names]
    op_types = {node.op_type for node in nodes}
    remarks += [_unknown("op type", of, op_types) for of in config.op_types if of not in op_types]
    named = {
        node.name for node in nodes if node.name in config.names or node.op_type in config.op_types
    }
    return Selection(frozenset(named), tuple(remarks))


def _entry(entry: Mapping[str, Json], index: int) -> LayerConfig:
    where = f"quant.layer_configs[{index}]"
    given = {
        "layer_name": _one(entry, "layer_name"),
        "op_type": _one(entry, "op_type"),
        "layer_names": strings(entry, "layer_names"),
        "op_types": strings(entry, "op_types"),
        "start_tensor_names and end_tensor_names": (
            *strings(entry, "start_tensor_names"),
            *strings(entry, "end_tensor_names"),
        ),
    }
    used = [name for name, values in given.items() if values]
    if len(used) != 1:
        raise ToolFailure(
            "AssertionError", f"{where} has {used or 'none'} of {list(given)}, it takes one"
        )
    starts, ends = strings(entry, "start_tensor_names"), strings(entry, "end_tensor_names")
    if bool(starts) != bool(ends):
        raise ToolFailure(
            "AssertionError", f"{where} has only one of start_tensor_names and end_tensor_names"
        )
    return LayerConfig(
        names=given["layer_name"] + given["layer_names"],
        op_types=given["op_type"] + given["op_types"],
        starts=starts,
        ends=ends,
        data_type=_type(entry, "data_type", _TYPES, where),
        weight_type=_type(entry, "weight_data_type", _WEIGHT_TYPES, where),
        output_type=_type(entry, "output_data_type", _TYPES, where),
    )


def _one(entry: Mapping[str, Json], field: str) -> tuple[str, ...]:
    value = text(entry, field)
    return (value,) if value else ()


def _type(entry: Mapping[str, Json], field: str, allowed: Sequence[str], where: str) -> str:
    value = text(entry, field).replace(_UNSET, "")
    if value and value not in allowed:
        raise ToolFailure("ValueError", f"{where}.{field} {value} is none of {', '.join(allowed)}")
    return value


def _between(config: LayerConfig, model: onnx.ModelProto) -> Selection:
    """Give what lies behind a start tensor and before an end tensor."""
    links = Links(model)
    known = set(links.producer) | set(links.consumers)
    remarks = [
        _unknown("tensor", name, known)
        for name in (*config.starts, *config.ends)
        if name != DEFAULT and name not in known
    ]
    every = frozenset(node.name for node in model.graph.node)
    behind = every if DEFAULT in config.starts else _behind(links, config.starts)
    before = every if DEFAULT in config.ends else _before(links, config.ends)
    return Selection(behind & before, tuple(remarks))


def _behind(links: Links, tensors: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    left = list(tensors)
    while left:
        for node in links.consumers.get(left.pop(), ()):
            if node.name not in found:
                found.add(node.name)
                left += node.output
    return frozenset(found)


def _before(links: Links, tensors: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    left = list(tensors)
    while left:
        node = links.producer.get(left.pop())
        if node is not None and node.name not in found:
            found.add(node.name)
            left += node.input
    return frozenset(found)


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5)
    hint = f", near are {', '.join(near)}" if near else ""
    return f"layer_configs: there is no {what} [{name}]{hint}"
