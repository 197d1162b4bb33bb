"""`quant.layer_configs` against the model: who obeys it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from orchestrator.domain import Json
from orchestrator.pulsar2.preflight.config import check_tensor_names, rows_at
from orchestrator.pulsar2.preflight.findings import Finding
from orchestrator.pulsar2.preflight.graph import View
from orchestrator.pulsar2.preflight.shapes import did_you_mean

#: Published: operators that can stay in FP32; others ignore it without a word.
_TAKES_FP32 = {
    "Add",
    "Concat",
    "Div",
    "LeakyRelu",
    "Mul",
    "Relu",
    "Sigmoid",
    "Softmax",
    "Sub",
}
#: The front end makes them of several operators.
_FUSED = {
    "Gelu",
    "GroupNormalization",
    "HardSwish",
    "LayerNormalization",
    "Mish",
    "RMSNormalization",
    "Silu",
    "Swish",
}
#: Names that the front end gives: `op_173:onnx.Mul_1`, `op:pre_norm_1`, `Conv_0`.
_FRONT_END = re.compile(r"op(_\d+)?:.+|(?:pre|post)_\w+|[A-Z]\w*_\d+|.+_(?:De)?[Qq]uantizeLinear")
_RENAMED = "the quantized model in the output folder has the names that the front end gave"


def check_layers(view: View, config: Mapping[str, Json]) -> Iterator[Finding]:
    """Warn of entries that reach nothing, and of FP32 where it is ignored."""
    types = {str(node.op_type) for node in view.nodes}
    by_name = {str(node.name): str(node.op_type) for node in view.nodes if node.name}
    tensors = [name for name in view.shapes if name]
    for index, row in enumerate(rows_at(config, "quant", "layer_configs")):
        where = f"quant.layer_configs[{index}]"
        names, asked = _texts(row, "layer_name"), _texts(row, "op_type")
        yield from _check_layer_names(where, names, by_name, tensors)
        for one in asked:
            if one not in types | _FUSED:
                message, advice = f"the model has no {one}", did_you_mean(one, sorted(types))
                yield Finding("warn", "layers", where, message, advice)
        if row.get("data_type") in {"FP32", "FP16"}:
            reached = {*asked, *(by_name[name] for name in names if name in by_name)}
            yield from _check_float(where, str(row["data_type"]), sorted(reached - _TAKES_FP32))
        for key in ("start_tensor_names", "end_tensor_names"):
            yield from check_tensor_names(f"{where}.{key}", row.get(key), tensors)


def _check_layer_names(
    where: str, names: list[str], by_name: Mapping[str, str], tensors: list[str]
) -> Iterator[Finding]:
    for name in names:
        known = name in by_name or name in tensors or _FRONT_END.fullmatch(name)
        derived = any(one and name.startswith(one) for one in by_name)
        if not known and not derived:
            near = did_you_mean(name, list(by_name))
            advice = near if near.startswith("did you mean") else _RENAMED
            yield Finding("warn", "layers", where, f"the model has no operator {name!r}", advice)


def _check_float(where: str, data_type: str, deaf: list[str]) -> Iterator[Finding]:
    if deaf:
        message = f"{data_type} is ignored, without a word, by {', '.join(deaf)}"
        advice = f"take U16; {data_type} is obeyed by {', '.join(sorted(_TAKES_FP32))}"
        if data_type == "FP16":
            message, advice = "FP16 was seen not to work", "take U16"
        yield Finding("warn", "fp32", where, message, advice)


def _texts(row: Mapping[str, Json], key: str) -> list[str]:
    """Give what a key and its plural name."""
    one, many = row.get(key), row.get(f"{key}s")
    found = [one, *(many if isinstance(many, list) else [])]
    return [text for text in found if isinstance(text, str) and text]
