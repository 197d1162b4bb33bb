"""The model's file, and the shapes and types of its tensors."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.domain import Json
from orchestrator.pulsar2.preflight.findings import Finding, Level
from orchestrator.pulsar2.preflight.graph import Tensor, View
from orchestrator.pulsar2.versions import version_table

if TYPE_CHECKING:
    from onnx import ModelProto

#: protobuf's own limit; a model above it ends in `Error parsing message`.
MOST_BYTES = 2**31 - 1
_FIX = "export with a fixed shape, or set input_shapes"
_ENTRY = re.compile(r"(.+):(\d+(?:x\d+)*)")
#: Their int64 outputs are INT32 on the chip, as everybody who uses them knows.
_INDEX_MAKERS = {"ArgMax", "ArgMin", "TopK"}
_MOST_NAMED = 3


def check_size(path: Path, model: ModelProto | None) -> Iterator[Finding]:
    """Add up the model and its external data; without a model, look at the file only."""
    total = path.stat().st_size
    missing = set[str]()
    for tensor in model.graph.initializer if model is not None else ():
        if tensor.data_location != tensor.EXTERNAL:
            continue
        about = {entry.key: entry.value for entry in tensor.external_data}
        location = Path(about.get("location", ""))
        source = path.parent / location
        if location.is_absolute() or ".." in location.parts or not source.is_file():
            missing.add(str(location))
        elif about.get("length", "").isdecimal():
            total += int(about["length"])
        else:
            total += source.stat().st_size
    for name in sorted(missing):
        yield Finding("refuse", "file", path.name, f"its external data {name!r} is not beside it")
    if total > MOST_BYTES:
        message = f"{total:,} bytes with external data; {MOST_BYTES:,} is the limit"
        advice = "split the model, or leave parts of it to the host"
        yield Finding("refuse", "file", path.name, message, advice)


def check_opset(opset: int) -> Iterator[Finding]:
    """Compare the opset with what is supported and with what published models use."""
    table = version_table()
    where = f"opset {opset}"
    if opset < table.opset_least:
        message = f"opset {table.opset_least} is the oldest that is supported"
        advice = f"export with opset_version={table.opset_tested}"
        yield Finding("refuse", "opset", where, message, advice)
    elif opset > table.opset_tested:
        message = f"no published model is newer than opset {table.opset_tested}"
        advice = f"export with opset_version={table.opset_tested} if the build fails"
        yield Finding("warn", "opset", where, message, advice)


def fixed_shapes(config: Mapping[str, Json]) -> dict[str, tuple[int, ...]]:
    """Read the config's `input_shapes`; what is not of its form is left out."""
    text = config.get("input_shapes")
    found = {}
    for entry in text.split(";") if isinstance(text, str) else ():
        if parts := _ENTRY.fullmatch(entry.strip()):
            found[parts[1]] = tuple(int(length) for length in parts[2].split("x"))
    return found


def check_fixed(fixed: Mapping[str, tuple[int, ...]], ranks: Mapping[str, int]) -> list[Finding]:
    """Check the entries of `input_shapes` against the inputs and their numbers of axes."""
    findings = []
    for name, shape in fixed.items():
        where = f"input_shapes {name}"
        if name not in ranks:
            findings.append(
                Finding("refuse", "shape", where, "no such input", did_you_mean(name, list(ranks)))
            )
        elif ranks[name] not in {0, len(shape)}:
            message = f"gives {len(shape)} axes; the input has {ranks[name]}"
            findings.append(Finding("refuse", "shape", where, message))
    return findings


def check_shapes(view: View) -> Iterator[Finding]:
    """Name every axis that is not fixed."""
    for one in view.inputs:
        if one.shape is None:
            yield Finding("refuse", "shape", f"input {one.name}", "has no shape at all", _FIX)
            continue
        for axis, length in enumerate(one.shape):
            if isinstance(length, str) or length <= 0:
                named = f" ({length})" if length else ""
                advice = f'{_FIX}: "{one.name}:{_example(one.shape)}"'
                message = f"axis {axis}{named} is not fixed"
                yield Finding("refuse", "shape", f"input {one.name}", message, advice)


def check_types(view: View, sources: Mapping[str, str]) -> Iterator[Finding]:
    """Check the types of inputs, outputs and of what lies between.

    Args:
        view: the model.
        sources: input → the `src_dtype` that the config gives it.
    """
    from onnx import TensorProto

    for one in view.inputs:
        yield from _check_input(one, sources.get(one.name, ""))
    for one in view.outputs:
        node = view.made_by.get(one.name)
        is_index = node is not None and node.op_type in _INDEX_MAKERS
        if one.dtype in {TensorProto.INT64, TensorProto.UINT64} and not is_index:
            message = f"{dtype_name(one.dtype)} becomes int32 on the chip"
            yield Finding("warn", "dtype", f"output {one.name}", message, "read it as int32")
    made = [name for node in view.nodes for name in node.output]
    levels: dict[int, Level] = {TensorProto.DOUBLE: "refuse", TensorProto.FLOAT16: "warn"}
    for dtype, level in levels.items():
        names = [name for name in made if view.dtypes.get(name) == dtype]
        if names:
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            where = f"tensor {', '.join(names[:_MOST_NAMED])}{more}"
            message = f"{dtype_name(dtype)} is no type of the chip"
            yield Finding(level, "dtype", where, message, "export the model in float32")


def _check_input(one: Tensor, source: str) -> Iterator[Finding]:
    from onnx import TensorProto

    where, name = f"input {one.name}", dtype_name(one.dtype)
    if one.dtype == TensorProto.INT64 and source not in {"S32", "U32"}:
        advice = f"input_processors: src_dtype S32 for {one.name}, and feed int32"
        yield Finding("warn", "dtype", where, "int64 becomes int32 on the chip", advice)
    elif one.dtype in {TensorProto.DOUBLE, TensorProto.UINT64, TensorProto.STRING}:
        advice = "export with a float32 or int32 input"
        yield Finding("refuse", "dtype", where, f"{name} is no type of the chip", advice)
    elif one.dtype == TensorProto.FLOAT16:
        advice = "export the model in float32"
        yield Finding("warn", "dtype", where, f"{name} is no type of the chip", advice)


def dtype_name(dtype: int) -> str:
    """Give the name of an ONNX type as numpy would write it."""
    from onnx import TensorProto

    name = str(TensorProto.DataType.Name(dtype)).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def _example(shape: tuple[int | str, ...]) -> str:
    """Give the shape as `input_shapes` writes it, with likely lengths for what is not fixed."""
    likely = (1, 3, 512, 512)
    lengths = [
        length if isinstance(length, int) and length > 0 else likely[min(axis, 3)]
        for axis, length in enumerate(shape)
    ]
    return "x".join(str(length) for length in lengths)


def did_you_mean(name: str, known: list[str]) -> str:
    """Give the hint for a name that is not there."""
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"there are {', '.join(known[:8])}" if known else ""
