"""The types that each layer reads and makes.

A layer reads every float tensor in the type of its inputs and makes it in the type of its outputs.
A tensor that is made in one type and read in another is quantized twice, so that a wide layer
behind a narrow one gains nothing: both have to be set.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import onnx

from .frontend import gelu_nodes
from .graph import Links
from .layer_configs import LayerConfig, select

FLOAT = "FP32"
#: What only moves data: its output has the type and the scale of its input.
PASSING = frozenset(
    {
        "Flatten", "Gather", "MaxPool", "Reshape", "Resize", "Slice", "Split", "Squeeze",
        "Transpose", "Unsqueeze",
    }
)  # fmt: skip
#: What is quantized without being asked: onnxruntime has INT8 kernels for it.
_QUANTIZED = frozenset(
    {
        "Add", "ArgMax", "AveragePool", "Concat", "Conv", "ConvTranspose", "Gemm",
        "GlobalAveragePool", "LeakyRelu", "MatMul", "Mul", "Relu", "Sigmoid",
    }
)  # fmt: skip
#: What the vendor's tool computes in float when it is told to.
_MAY_BE_FLOAT = frozenset(
    {"Add", "Concat", "Div", "LeakyRelu", "Mul", "Relu", "Sigmoid", "Softmax", "Sub"}
)
_TRANSFORMER = ("Gelu", "LayerNormalization", "Softmax")
#: Type of a transformer's softmax, normalizations and GELU at each `transformer_opt_level`.
_LEVELS = (FLOAT, "U16", "U8")
_NAMED = 3


@dataclass(frozen=True, slots=True)
class LayerType:
    """Types of one layer: U8, S8, U16, S16 or FP32; "" for what only moves data.

    Attributes:
        raw: reads its input as its maker has made it, quantized for others or not.
    """

    inputs: str
    outputs: str
    weights: str = "S8"
    raw: bool = False


@dataclass(frozen=True, slots=True)
class LayerTypes:
    """The type of every layer by its name, and what the log says of settings without effect."""

    by_name: Mapping[str, LayerType]
    remarks: tuple[str, ...]


def layer_types(
    model: onnx.ModelProto,
    configs: Sequence[LayerConfig] = (),
    *,
    activations: str = "U8",
    transformer_opt_level: int = 0,
) -> LayerTypes:
    """Give the types of a rewritten float model; a later entry of `configs` beats an earlier."""
    transformer = set(gelu_nodes(model))
    found = {}
    for node in model.graph.node:
        kind = FLOAT
        if node.op_type in PASSING:
            kind = ""
        elif node.name in transformer or node.op_type in _TRANSFORMER:
            level = _LEVELS[transformer_opt_level]
            kind = level if level == FLOAT or activations == "U8" else activations
        elif node.op_type in _QUANTIZED:
            kind = activations
        found[node.name] = LayerType(kind, kind)
    remarks = _configure(model, configs, found)
    _scores_in_float(model, configs, found)
    return LayerTypes(found, tuple(remarks))


def _configure(
    model: onnx.ModelProto, configs: Sequence[LayerConfig], found: dict[str, LayerType]
) -> list[str]:
    remarks: list[str] = []
    op_types = {node.name: str(node.op_type) for node in model.graph.node}
    ignored: defaultdict[str, list[str]] = defaultdict(list)
    for config in configs:
        selection = select(config, model)
        remarks += selection.remarks
        for name, op_type in op_types.items():
            if name not in selection.layers:
                continue
            fits = op_type in _MAY_BE_FLOAT
            if not fits and FLOAT in (config.data_type, config.output_type):
                ignored[op_type].append(name)
            found[name] = _changed(found[name], config, may_be_float=fits)
    for op_type, names in ignored.items():
        rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        some = ", ".join(names[:_NAMED])
        remarks.append(f"layer_configs: FP32 is ignored for {op_type}: {some}{rest}")
    return remarks


def _changed(before: LayerType, config: LayerConfig, *, may_be_float: bool) -> LayerType:
    data, output = (
        kind if may_be_float or kind != FLOAT else ""
        for kind in (config.data_type, config.output_type)
    )
    return replace(
        before,
        inputs=data or before.inputs,
        outputs=output or data or before.outputs,
        weights=config.weight_type or before.weights,
    )


def _scores_in_float(
    model: onnx.ModelProto, configs: Sequence[LayerConfig], found: dict[str, LayerType]
) -> None:
    """Leave attention's scores as their product makes them where the softmax is in float.

    onnxruntime's INT8 softmax is slower than its float one. A product that an entry of
    layer_configs names keeps what it was given.
    """
    links = Links(model)
    named = {name for config in configs for name in select(config, model).layers}
    for node in model.graph.node:
        if node.op_type == "Softmax" and found[node.name].inputs == FLOAT:
            product = links.parent(node, 0, "MatMul")
            if links.only_child(product, "Softmax") is not None and product.name not in named:
                found[product.name] = replace(found[product.name], outputs=FLOAT)
