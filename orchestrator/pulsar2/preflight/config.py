"""The build config against the model: the names in it, and who is calibrated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestrator.domain import Json
from orchestrator.pulsar2.preflight.findings import Finding
from orchestrator.pulsar2.preflight.graph import View
from orchestrator.pulsar2.preflight.shapes import did_you_mean

#: The name that stands for all inputs, or all outputs.
EVERY = "DEFAULT"
#: Both are given to the toolchain with their ranges, so nothing is calibrated.
QUANTIZED = {"QuantONNX", "QuantAxModel"}
_CHANNELS = 1
_IMAGE_RANK = 4


def is_quantized(config: Mapping[str, Json]) -> bool:
    """Tell whether the config says that the model is quantized already."""
    return config.get("model_type") in QUANTIZED


def rows_at(config: Mapping[str, Json], *path: str) -> list[Mapping[str, Json]]:
    """Give the list of objects at a path; an empty one where there is none."""
    found: Json = dict(config)
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def row_of(rows: list[Mapping[str, Json]], tensor: str) -> Mapping[str, Json] | None:
    """Give the entry for a tensor: its own, else the one for all."""
    own = [row for row in rows if row.get("tensor_name") == tensor]
    every = [row for row in rows if row.get("tensor_name") == EVERY]
    return next(iter((*own, *every)), None)


def sources_of(view: View, config: Mapping[str, Json]) -> dict[str, str]:
    """Give the `src_dtype` of each input that has one."""
    rows = rows_at(config, "input_processors")
    found = {one.name: row_of(rows, one.name) or {} for one in view.inputs}
    return {name: str(row["src_dtype"]) for name, row in found.items() if "src_dtype" in row}


def check_config(view: View, config: Mapping[str, Json]) -> Iterator[Finding]:
    """Check the names of tensors and operators, and that each input has its calibration."""
    inputs = [one.name for one in view.inputs]
    outputs = [one.name for one in view.outputs]
    calibrated = rows_at(config, "quant", "input_configs")
    yield from _check_names("quant.input_configs", calibrated, inputs, "input")
    rows = rows_at(config, "input_processors")
    yield from _check_names("input_processors", rows, inputs, "input")
    rows = rows_at(config, "output_processors")
    yield from _check_names("output_processors", rows, outputs, "output")
    yield from _check_processed(view, config)
    if config and not is_quantized(config):
        for name in inputs:
            if row_of(calibrated, name) is None:
                message = "quant.input_configs has no entry for it"
                advice = f"give it a calibration_dataset; tensor_name {EVERY} stands for all inputs"
                yield Finding("refuse", "coverage", f"input {name}", message, advice)
    yield from _check_normalisation(view, calibrated)


def _check_names(
    key: str, rows: list[Mapping[str, Json]], known: list[str], kind: str
) -> Iterator[Finding]:
    for index, row in enumerate(rows):
        name = row.get("tensor_name")
        if isinstance(name, str) and name != EVERY and name not in known:
            where = f"{key}[{index}].tensor_name"
            message = f"the model has no {kind} {name!r}"
            yield Finding("refuse", "names", where, message, did_you_mean(name, known))


def _check_processed(view: View, config: Mapping[str, Json]) -> Iterator[Finding]:
    """Doubt the names of operators, constants and inner tensors: the front end renames some."""
    nodes = [str(node.name) for node in view.nodes if node.name]
    tensors = [name for name in view.shapes if name]
    for key, field, kind, known in (
        ("op_processors", "op_name", "operator", nodes),
        ("const_processors", "name", "constant", list(view.folded)),
    ):
        for index, row in enumerate(rows_at(config, key)):
            name = row.get(field)
            if isinstance(name, str) and name not in known:
                where = f"{key}[{index}].{field}"
                message = f"the model has no {kind} {name!r}"
                yield Finding("warn", "names", where, message, _near(name, known))
    for index, row in enumerate(rows_at(config, "compiler", "sub_configs")):
        for key in ("start_tensor_names", "end_tensor_names"):
            where = f"compiler.sub_configs[{index}].{key}"
            yield from check_tensor_names(where, row.get(key), tensors)


def check_tensor_names(where: str, names: Json, known: list[str]) -> Iterator[Finding]:
    """Doubt the tensors that a list of the config names and the model has not."""
    for name in names if isinstance(names, list) else ():
        if isinstance(name, str) and name != EVERY and name not in known:
            message = f"the model has no tensor {name!r}"
            yield Finding("warn", "names", where, message, _near(name, known))


def _near(name: str, known: list[str]) -> str:
    """Give a hint only where one name is near: a model has hundreds."""
    hint = did_you_mean(name, known)
    return hint if hint.startswith("did you mean") else ""


def _check_normalisation(view: View, rows: list[Mapping[str, Json]]) -> Iterator[Finding]:
    """Ask for one mean, or one a channel, where the layout can only be NCHW."""
    for one in view.inputs:
        row, shape = row_of(rows, one.name), one.shape
        if row is None or shape is None or len(shape) != _IMAGE_RANK:
            continue
        channels = {shape[_CHANNELS], shape[-1]}
        for key in ("calibration_mean", "calibration_std"):
            values = row.get(key)
            count = len(values) if isinstance(values, list) else 0
            if count > 1 and count not in channels:
                message = f"{key} has {count} numbers for a shape of {shape}"
                yield Finding("warn", "scale", f"input {one.name}", message, "give one a channel")
