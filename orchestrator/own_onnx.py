"""An ONNX file of one's own: what must be true of it, and the file that goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.domain import ExportSpec, Recipe
from orchestrator.errors import ExportError
from orchestrator.onnx_graph import count_ops, external_files
from orchestrator.pulsar2.preflight.shapes import MOST_BYTES

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto


@dataclass(frozen=True, slots=True)
class Taken:
    """The file that goes on: static shape, one input and one output, all tensors inside."""

    path: Path
    ops: dict[str, int]
    opset: int


def write_own(recipe: Recipe, source: Path, path: Path) -> Taken:
    """Write an ONNX file as the recipe names its tensors and sizes. Raises ExportError."""
    import onnx

    size = source.stat().st_size + sum(one.stat().st_size for one in external_files(source))
    if size > MOST_BYTES:
        raise ExportError(
            f"{source}: is {size / 1e9:.1f} GB with its data, ONNX files end at 2 GiB",
            "Pulsar2 takes no larger ones either",
        )
    model = onnx.load(source)
    name = recipe.name
    _fix_input(model, recipe.export, f"{name}: {source.name}")
    _keep_output(model, recipe.export, f"{name}: {source.name}")
    # What was inferred for other sizes must not stay.
    del model.graph.value_info[:]
    try:
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        onnx.checker.check_model(model)
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
        raise ExportError(
            f"{name}: {source.name} does not take {_text(recipe.export.shape)}: "
            f"{str(error).strip().splitlines()[0]}",
            "export.input.shape must be a size that the model was exported for",
        ) from error
    onnx.save(model, path)
    opsets = [one.version for one in model.opset_import if one.domain in {"", "ai.onnx"}]
    return Taken(path, count_ops(model), max(opsets, default=0))


def _fix_input(model: ModelProto, spec: ExportSpec, label: str) -> None:
    """Give the only input the recipe's shape. Raises ExportError: there is no such input."""
    from onnx import TensorProto

    weights = {one.name for one in model.graph.initializer}
    inputs = [one for one in model.graph.input if one.name not in weights]
    names = [one.name for one in inputs]
    if len(inputs) != 1:
        raise ExportError(
            f"{label}: has {len(inputs)} inputs, {', '.join(names)}; orch feeds one image",
            "make the others constants before",
        )
    (found,) = inputs
    if found.name != spec.input_name:
        raise ExportError(
            f"{label}: its input is {found.name!r}, the recipe's {spec.input_name!r}",
            f"export.input.name: {found.name}",
        )
    tensor = found.type.tensor_type
    if tensor.elem_type != TensorProto.FLOAT:
        kind = TensorProto.DataType.Name(tensor.elem_type).lower()
        raise ExportError(
            f"{label}: its input {found.name} is {kind}, orch feeds float",
            "export it with the normalisation outside: mean and std belong to the recipe",
        )
    _fix_shape(found, spec, label)


def _fix_shape(found: ValueInfoProto, spec: ExportSpec, label: str) -> None:
    """Put the recipe's sizes in the place of open ones; fixed ones must be the same."""
    axes = found.type.tensor_type.shape.dim
    sizes = [axis.dim_value if axis.HasField("dim_value") else None for axis in axes]
    fits = len(sizes) == len(spec.shape) and all(
        size in {None, wanted} for size, wanted in zip(sizes, spec.shape, strict=True)
    )
    if not fits:
        fixed = [str(size or "?") for size in sizes]
        nhwc = len(fixed) == len(spec.shape) and fixed[-1] == "3" and fixed[1] != "3"
        raise ExportError(
            f"{label}: its input {found.name} is {_text(fixed)}, the recipe's {_text(spec.shape)}",
            "it wants NHWC, orch feeds NCHW: export it with its channels first"
            if nhwc
            else f"export.input.shape: [{', '.join(fixed)}]",
        )
    for axis, wanted in zip(axes, spec.shape, strict=True):
        axis.dim_value = wanted


def _keep_output(model: ModelProto, spec: ExportSpec, label: str) -> None:
    """Drop every output but the recipe's. Raises ExportError: there is no such output."""
    names = [one.name for one in model.graph.output]
    if spec.output_name not in names:
        raise ExportError(
            f"{label}: has no output {spec.output_name!r}, it has {', '.join(names)}",
            f"export.output: {names[0]}" if names else "it has no outputs at all",
        )
    kept = model.graph.output[names.index(spec.output_name)]
    element = kept.type.tensor_type.elem_type
    del model.graph.output[:]
    output = model.graph.output.add()
    output.name = spec.output_name
    output.type.tensor_type.elem_type = element


def _text(shape: Sequence[object]) -> str:
    return "x".join(map(str, shape))
