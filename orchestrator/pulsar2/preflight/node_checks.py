"""Every node of a model against what its target takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from orchestrator.pulsar2.preflight.findings import Finding, Level
from orchestrator.pulsar2.preflight.graph import View
from orchestrator.pulsar2.preflight.nodes import operand, place
from orchestrator.pulsar2.preflight.operators import Doubt, InputRule, OperatorTable
from orchestrator.pulsar2.preflight.prelu import check_prelu
from orchestrator.pulsar2.preflight.resize import check_resize
from orchestrator.pulsar2.preflight.rules import attribute_problem, input_problem
from orchestrator.pulsar2.versions import VersionFacts

if TYPE_CHECKING:
    from onnx import NodeProto

_PLAIN = {"", "ai.onnx"}
_DOMAIN_ADVICE = {
    "com.microsoft": "give the model from before onnxruntime optimized or quantized it",
    "ai.onnx.ml": "only neural networks can be compiled: do this part on the host",
}
_EXPORT_PLAIN = "export plain ONNX, without custom operators"
_INLINE = "inline it: onnx.inliner.inline_local_functions"
_CUT = "end the model before it, and do the rest on the host"
#: A model that is quantized already may hold them.
_OF_QUANTIZED = {"QuantizeLinear", "DequantizeLinear"}


def check_nodes(
    view: View, table: OperatorTable, facts: VersionFacts, *, quantized: bool
) -> Iterator[Finding]:
    """Check every node; `quantized`: the model is told to be quantized already."""
    for node in view.nodes:
        if node.domain not in _PLAIN or (node.domain, node.op_type) in view.functions:
            yield _foreign(node, view)
        elif not (quantized and node.op_type in _OF_QUANTIZED):
            yield from _check_node(node, view, table, facts)


def _foreign(node: NodeProto, view: View) -> Finding:
    if (node.domain, node.op_type) in view.functions:
        message, advice = f"{node.op_type} is a function of the model's own", _INLINE
    else:
        message = f"{node.op_type} is of {node.domain}, not of plain ONNX"
        advice = _DOMAIN_ADVICE.get(node.domain, _EXPORT_PLAIN)
    return Finding("refuse", "domain", place(node), message, advice)


def _check_node(
    node: NodeProto, view: View, table: OperatorTable, facts: VersionFacts
) -> Iterator[Finding]:
    rule = table.operators.get(node.op_type)
    if rule is None:
        yield _missing(node, table)
        return
    if rule.since and not facts.has(rule.since):
        message = f"{table.target} has {node.op_type} from {rule.since} on; this is {facts.version}"
        yield Finding("refuse", "operator", place(node), message, rule.advice)
    if rule.doubt and _counts(rule.doubt, facts, node, view):
        doubt = rule.doubt
        yield Finding("warn", "operator", place(node), doubt.message, doubt.advice)
    for attribute in rule.attributes:
        if message := attribute_problem(attribute, node, view):
            level = _level(attribute.level, table)
            yield Finding(level, "attribute", place(node), message, attribute.advice)
    for given in rule.inputs:
        if message := input_problem(given, node, view):
            level = _input_level(given, node, view, table)
            yield Finding(level, "operand", place(node), message, given.advice)
    if rule.special == "resize":
        yield from check_resize(node, view)
    elif rule.special == "prelu":
        yield from check_prelu(node, view)


def _missing(node: NodeProto, table: OperatorTable) -> Finding:
    front_end = table.front_end.get(node.op_type)
    if front_end is not None:
        message = f"pulsar2 cannot read {node.op_type}"
        return Finding("refuse", "operator", place(node), message, front_end or _CUT)
    advice = table.advice.get(node.op_type, _CUT)
    if table.complete:
        message = f"{table.target} has no {node.op_type}"
        return Finding("refuse", "operator", place(node), message, advice)
    message = f"AX650 has no {node.op_type}, so {table.target} may have none either"
    return Finding("warn", "operator", place(node), message, advice)


def _level(level: Level, table: OperatorTable) -> Level:
    """Refuse only by a list that is the target's own."""
    return level if table.complete else "warn"


def _input_level(rule: InputRule, node: NodeProto, view: View, table: OperatorTable) -> Level:
    """Doubt indices like token ids, (1, n), only: a published model has them, list or not."""
    shape = view.shapes.get(operand(node, rule.index)) if rule.max_rank is not None else None
    if shape is not None and sum(length != 1 for length in shape) <= (rule.max_rank or 0):
        return "warn"
    return rule.level if rule.constant else _level(rule.level, table)


def _counts(doubt: Doubt, facts: VersionFacts, node: NodeProto, view: View) -> bool:
    after = not doubt.since or facts.has(doubt.since)
    here = not doubt.last or any(one.name in node.output for one in view.outputs)
    return here and after and not (doubt.until and facts.has(doubt.until))
