"""The quantized model against the float one, layer by layer, by true computation.

PerLayer gives every layer the float model's tensors; EndToEnd gives it what the quantized layers
before it have made. Both models are run a layer at a time, so that memory holds no more than the
tensors that are still to be read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from .config import text
from .layers import Layer, Output, layers, type_name
from .likeness import Likeness
from .runtime_graph import runtime_dtype
from .schema import Json
from .stepping import Array, Bench, Tensors, last_readers, reads


@dataclass(frozen=True, slots=True)
class Settings:
    """How precision is to be analysed."""

    method: str
    mode: str
    sample_dir: Path | None = None

    @property
    def title(self) -> str:
        """Give the title of the table."""
        return f"Quant Precision Table【{self.method} {self.mode}】"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `operator` reads the tensors of `reads`."""

    operator: str
    kind: str
    tensor: str
    shape: tuple[int, ...]
    dtype: str
    quantized_dtype: str
    cosine: float
    mse: float
    reads: tuple[str, ...]


def analysis_settings(config: Mapping[str, Json]) -> Settings | None:
    """Give the settings of a checked config, or None when no analysis is asked for."""
    quant = config.get("quant")
    if not isinstance(quant, dict) or not quant.get("precision_analysis"):
        return None
    sample_dir = text(quant, "input_sample_dir")
    return Settings(
        text(quant, "precision_analysis_method", "PerLayer"),
        text(quant, "precision_analysis_mode", "Reference"),
        Path(sample_dir) if sample_dir else None,
    )


def analyse(
    float_model: onnx.ModelProto,
    quantized: onnx.ModelProto,
    samples: Sequence[Tensors],
    *,
    end_to_end: bool,
) -> list[Row]:
    """Give a row for each output of each layer, in the order of the float model."""
    paired = layers(float_model, quantized)
    found = {output.name: _Found() for layer in paired for output in layer.outputs}
    for sample in samples:
        _compare(float_model, quantized, paired, sample, found, end_to_end=end_to_end)
    outputs = {value.name for value in quantized.graph.output}
    return [
        row
        for layer in paired
        for output in layer.outputs
        for row in _rows(layer, output, found[output.name], outputs)
    ]


class _Found:
    """What is known of one tensor."""

    def __init__(self) -> None:
        self.likeness = Likeness()
        self.shape: tuple[int, ...] = ()
        self.dtype: np.dtype[np.generic] = np.dtype(np.float32)

    def add(self, exact: Array, seen: Array) -> None:
        self.likeness.add(exact, seen)
        self.shape, self.dtype = exact.shape, exact.dtype


def _compare(
    float_model: onnx.ModelProto,
    quantized: onnx.ModelProto,
    paired: Sequence[Layer],
    sample: Tensors,
    found: Mapping[str, _Found],
    *,
    end_to_end: bool,
) -> None:
    exact_bench, bench = Bench(float_model), Bench(quantized)
    exact = dict(sample)
    rough = dict(sample) if end_to_end else exact
    steps = [{*reads(layer.nodes), *(name for _, name in layer.inputs)} for layer in paired]
    for layer, dead in zip(paired, last_readers(steps), strict=True):
        names = [name for name in layer.nodes[-1].output if name]
        made = exact_bench.run(layer.nodes, names, exact)
        # Where the quantized model has no such node, the layers after it reach further up.
        if layer.outputs:
            live = {inner: rough[name] for inner, name in layer.inputs}
            wanted = {output.seen for output in layer.outputs}
            wanted |= {output.raw for output in layer.outputs if end_to_end}
            values = bench.run(layer.part, sorted(wanted), live)
            for output in layer.outputs:
                found[output.name].add(made[output.name], values[output.seen])
                if end_to_end:
                    rough[output.name] = values[output.raw]
        exact.update(made)
        for name in dead:
            exact.pop(name, None)
            rough.pop(name, None)


def _rows(layer: Layer, output: Output, found: _Found, graph_outputs: set[str]) -> list[Row]:
    dtype = type_name(found.dtype.name)
    at_run_time = type_name(runtime_dtype(found.dtype).name)
    cosine, mse = found.likeness.cosine, found.likeness.mse
    sources = tuple(name for _, name in layer.inputs)
    row = Row(
        str(layer.nodes[0].name), layer.kind, output.name, found.shape, dtype,
        output.quantized or at_run_time, cosine, mse, sources,
    )  # fmt: skip
    if not output.quantized or output.seen not in graph_outputs:
        return [row]
    inner = f"{output.name}_QuantizeLinear_Output"
    return [
        Row(
            row.operator, row.kind, inner, row.shape, dtype, output.quantized, cosine, mse, sources
        ),
        Row(
            f"{output.name}_DequantizeLinear", "AxDequantizeLinear", output.name, row.shape,
            dtype, at_run_time, cosine, mse, (inner,),
        ),
    ]  # fmt: skip
