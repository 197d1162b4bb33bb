"""ONNX → simplified ONNX with its head, checked against its input; and what it says on images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import HeadSpec, Recipe
from orchestrator.errors import OptimizeError
from orchestrator.images import NamedImage, normalise
from orchestrator.onnx_graph import count_ops, run_float, undecided
from orchestrator.onnx_layers import with_layers
from orchestrator.onnx_weights import give_weights, take_weights
from orchestrator.tasks import task_of

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnx_graphsurgeon import Graph

_Outputs = Sequence[NDArray[np.generic]]
#: The two graphs do the same arithmetic, so hardly a pixel may differ.
MIN_AGREEMENT = 0.9999
#: Of what is no class: as a share of the exported graph's range; rounding alone makes 1e-5 of it.
MAX_DIFFERENCE = 1e-3
#: Of values that are all nearly the same, this share of the largest counts as their range.
_LEAST_RANGE = 0.01


@dataclass(frozen=True, slots=True)
class Optimized:
    """A simplified graph.

    Attributes:
        path: the ONNX file.
        reference: a .npy file: the float model's answer to each image (orchestrator.tasks).
        ops_before: operators of the graph as it was exported.
        ops_after: operators after simplification, without the head.
        agreement: how much of the answers is as the exported graph has it, 0..1.
        difference: the largest from the exported graph's values, as a share of their range; 0 where
            the head gives classes.
        checked_images: how many images both were measured on.
    """

    path: Path
    reference: Path
    ops_before: dict[str, int]
    ops_after: dict[str, int]
    agreement: float
    difference: float
    checked_images: int


def optimize(
    recipe: Recipe, source: Path, images: Sequence[NamedImage], check: int, folder: Path
) -> Optimized:
    """Simplify, move constants into initializers, add the head, check on the first `check` images.

    Raises:
        OptimizeError: the graph cannot be simplified, or answers otherwise than its source.
    """
    path = folder / "model.onnx"
    ops_before, ops_after = _rewrite(recipe, source, path)
    name = recipe.export.input_name
    feeds = [{name: normalise(image.pixels, recipe.preprocess)} for image in images]
    found, kept = run_float(path, feeds), run_float(source, feeds[:check])
    same, apart = _hold_together(recipe, kept, found[: len(kept)])
    reference = folder / "reference.npy"
    np.save(reference, np.stack([task_of(recipe).answer(output, recipe) for output in found]))
    return Optimized(path, reference, ops_before, ops_after, same, apart, len(kept))


def _hold_together(recipe: Recipe, kept: _Outputs, found: _Outputs) -> tuple[float, float]:
    """Give the agreement and the largest difference. Raises OptimizeError: one is too bad."""
    task = task_of(recipe)
    said = [[task.answer(output, recipe) for output in side] for side in (kept, found)]
    same = task.compare(said[0], said[1], recipe).share
    apart = float(np.max([_difference(a, b) for a, b in zip(kept, found, strict=True)]))
    if same < MIN_AGREEMENT or not apart <= MAX_DIFFERENCE:
        raise OptimizeError(
            f"{recipe.name}: the optimized graph differs from the exported one on {len(kept)} "
            f"images: agreement {same:.3%} (must be {MIN_AGREEMENT:.2%}), largest difference "
            f"{apart:.1e} of the range (may be {MAX_DIFFERENCE:.0e})",
            "another export.opset makes other nodes",
        )
    return same, apart


def _difference(expected: NDArray[np.generic], found: NDArray[np.generic]) -> float:
    """Give the largest difference as a share of the range; 0 for classes instead of values."""
    if not np.issubdtype(found.dtype, np.floating):
        return 0.0
    truth = expected.astype(np.float64)
    largest = float(np.abs(truth).max())
    span = max(float(np.ptp(truth)), _LEAST_RANGE * largest) or 1.0
    return float(np.abs(found.astype(np.float64) - truth).max()) / span


def _rewrite(recipe: Recipe, source: Path, path: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Write the simplified graph with its head; give the operators before and after, without it.

    The weights stand aside meanwhile, so that of a large model there are two copies, not eight.
    """
    import onnx

    model = onnx.load(source)
    before, weights = count_ops(model), take_weights(model)
    model = _simplify(model, recipe.name)
    if reason := undecided(model):
        raise OptimizeError(
            f"{recipe.name}: {reason}, a compiled model knows neither branches nor open sizes",
            "export it without: what hangs on sizes is folded, what hangs on values stays",
        )
    after = count_ops(model)
    model = with_layers(_with_head(model, recipe.head), recipe.layers)
    give_weights(model, weights)
    onnx.save(model, path)
    return before, after


def _simplify(model: ModelProto, name: str) -> ModelProto:
    """Fold shapes and constants; keep MatMul and Add apart, as Pulsar2's op list wants them.

    onnxsim's further optimizers would fuse the two into Gemm.
    """
    import onnx_graphsurgeon as gs
    from onnxsim import simplify

    try:
        simplified, sound = simplify(model, perform_optimization=False)
    except (RuntimeError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise OptimizeError(f"{name}: onnxsim cannot simplify it: {reason}") from error
    if not sound:
        raise OptimizeError(f"{name}: onnxsim's own check failed on the simplified graph")
    graph = gs.import_onnx(simplified).fold_constants()
    _drop_idle_casts(graph)
    return _exported(gs.export_onnx(graph.cleanup().toposort()), model)


def _drop_idle_casts(graph: Graph) -> None:
    """Take out casts to the type that a tensor already has; transformers 5 leaves two a block."""
    from onnx.helper import np_dtype_to_tensor_dtype

    for node in [node for node in graph.nodes if node.op == "Cast"]:
        (source,), (target,) = node.inputs, node.outputs
        known = source.dtype is not None and target not in graph.outputs
        if known and np_dtype_to_tensor_dtype(np.dtype(source.dtype)) == node.attrs["to"]:
            for user in list(target.outputs):
                user.inputs = [source if tensor is target else tensor for tensor in user.inputs]


def _with_head(model: ModelProto, head: HeadSpec) -> ModelProto:
    """Put ArgMax behind the only output; its own output becomes the graph's."""
    if head.op == "none":
        return model
    import onnx_graphsurgeon as gs

    graph = gs.import_onnx(model)
    if len(graph.outputs) != 1:
        raise OptimizeError(f"a head wants one output, the graph has {len(graph.outputs)}")
    (logits,) = graph.outputs
    if not 0 <= head.axis < len(logits.shape):
        raise OptimizeError(
            f"optimize.head.axis: {head.axis} is not an axis of {logits.name} {logits.shape}"
        )
    shape: list[int] = list(logits.shape)
    shape[head.axis : head.axis + 1] = [1] if head.keepdims else []
    output = gs.Variable(head.output_name, dtype=np.int64, shape=shape)
    attributes = {"axis": head.axis, "keepdims": int(head.keepdims)}
    graph.nodes.append(
        gs.Node("ArgMax", "head_argmax", attributes, inputs=[logits], outputs=[output])
    )
    graph.outputs = [output]
    return _exported(gs.export_onnx(graph.cleanup().toposort()), model)


def _exported(model: ModelProto, source: ModelProto) -> ModelProto:
    """Keep the source's IR version: older tools refuse newer ones."""
    model.ir_version = source.ir_version
    return model
