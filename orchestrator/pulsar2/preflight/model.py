"""A model against its target, its version of Pulsar2 and its build config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.domain import Json, Target, TensorSpec
from orchestrator.pulsar2.preflight.config import check_config, is_quantized, sources_of
from orchestrator.pulsar2.preflight.findings import Finding, Level
from orchestrator.pulsar2.preflight.graph import View, read_model, view_of
from orchestrator.pulsar2.preflight.layers import check_layers
from orchestrator.pulsar2.preflight.node_checks import check_nodes
from orchestrator.pulsar2.preflight.operators import known_targets, operator_table
from orchestrator.pulsar2.preflight.resize import check_upsample
from orchestrator.pulsar2.preflight.shapes import (
    MOST_BYTES,
    check_fixed,
    check_opset,
    check_shapes,
    check_size,
    check_types,
    dtype_name,
    fixed_shapes,
)
from orchestrator.pulsar2.targets import find_problem
from orchestrator.pulsar2.versions import facts_of


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of looking at a model: `inputs` are those whose shapes are fixed."""

    findings: tuple[Finding, ...]
    inputs: tuple[TensorSpec, ...]


def check_model(
    path: Path, target: Target, version: str, config: Mapping[str, Json]
) -> tuple[Finding, ...]:
    """Check all that can be known of a model without running it.

    Args:
        path: the ONNX file; external data is looked for beside it and not read.
        target: what it is compiled for.
        version: of Pulsar2.
        config: the whole build config; empty: only the model is looked at.

    Raises:
        ConfigError: there is no ONNX file.
    """
    return look_at(path, target, version, config).findings


def look_at(path: Path, target: Target, version: str, config: Mapping[str, Json]) -> Looked:
    """Do as `check_model`, and give what the calibration must fit. Raises ConfigError."""
    findings = [*_check_target(target, version)]
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        return Looked((*findings, *check_size(path, None)), ())
    model = read_model(path)
    findings += check_size(path, model)
    ranks = {one.name: len(one.type.tensor_type.shape.dim) for one in model.graph.input}
    fixed = fixed_shapes(config)
    unfit = check_fixed(fixed, ranks)
    view = view_of(model, {} if unfit else fixed)
    findings += [*unfit, *_check_view(view, target, version, config)]
    return Looked(tuple(findings), tuple(_specs(view)))


def _check_target(target: Target, version: str) -> Iterator[Finding]:
    problem, facts = find_problem(target, version), facts_of(version)
    if problem:
        # A version that is not in the table may well have what the nearest one has not.
        level: Level = "warn" if facts.guessed and problem.key == "target_hardware" else "refuse"
        yield Finding(level, "target", problem.key, problem.message, problem.hint)
    if target.hardware not in known_targets():
        message = f"nothing is known of the operators of {target.hardware}; AX650's list stands in"
        yield Finding("warn", "target", "target_hardware", message)


def _check_view(
    view: View, target: Target, version: str, config: Mapping[str, Json]
) -> Iterator[Finding]:
    quantized = is_quantized(config)
    yield from check_opset(view.opset)
    yield from check_shapes(view)
    yield from check_types(view, sources_of(view, config))
    table, facts = operator_table(target.hardware), facts_of(version)
    if config.get("model_type") != "QuantAxModel":  # its operators are the toolchain's own
        yield from check_nodes(view, table, facts, quantized=quantized)
        yield from check_upsample(view)
    yield from check_config(view, config)
    yield from check_layers(view, config)


def _specs(view: View) -> Iterator[TensorSpec]:
    for one in view.inputs:
        lengths = [length for length in one.shape or () if isinstance(length, int)]
        if one.shape is not None and len(lengths) == len(one.shape) and min(lengths, default=1) > 0:
            yield TensorSpec(one.name, dtype_name(one.dtype), tuple(lengths))
