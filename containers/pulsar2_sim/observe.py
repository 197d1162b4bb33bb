"""The range of every activation over the calibration samples.

MinMax lets the model itself reduce each tensor; only two numbers a tensor leave it. Percentile and
KL need the tensors: they are fetched a bounded number of bytes at a time, sample by sample. Memory
does not grow with the number of samples.
"""

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization.calibrate import (
    CalibrationMethod,
    HistogramCollector,
    MinMaxCalibrater,
    TensorsData,
)

from . import console
from .model import shapes_of

Sample = Mapping[str, NDArray[np.generic]]

#: How much of the histogram methods' tensors is held at once.
CHUNK_BYTES = 768 * 2**20
PERCENTILE = 99.99
_LABEL = "Calibration Progress(Phase 1)"


@dataclass(frozen=True, slots=True)
class _Histogram:
    method: str
    bins: int
    result: CalibrationMethod


_HISTOGRAMS = {
    "Percentile": _Histogram("percentile", 2048, CalibrationMethod.Percentile),
    "KL": _Histogram("entropy", 128, CalibrationMethod.Entropy),
}


def observe(
    model_path: Path, op_types: Sequence[str], samples: Sequence[Sample], method: str, scratch: Path
) -> TensorsData:
    """Give the range of each tensor around nodes of `op_types`, by MinMax, Percentile or KL.

    `scratch` is a folder for the instrumented model.
    """
    augmented = scratch / "augmented.onnx"
    calibrater = MinMaxCalibrater(model_path, op_types, augmented_model_path=str(augmented))
    if method == "MinMax":
        calibrater.augment_graph()
        calibrater.infer_session = _session(augmented)
        for sample in console.progress(samples, _LABEL):
            calibrater.collect_data(_One(sample))
        return calibrater.compute_data()
    names, _ = calibrater.select_tensors_to_calibrate(calibrater.model)
    return _histograms(calibrater.model, sorted(names), samples, _HISTOGRAMS[method], augmented)


def _histograms(
    model: onnx.ModelProto,
    names: Sequence[str],
    samples: Sequence[Sample],
    histogram: _Histogram,
    augmented: Path,
) -> TensorsData:
    ranges = {}
    chunks = list(_chunks(model, names))
    ticks = console.progress(range(len(chunks) * len(samples)), _LABEL)
    for chunk in chunks:
        session = _session(_with_outputs(model, chunk, augmented))
        collector = HistogramCollector(
            histogram.method,
            symmetric=False,
            num_bins=histogram.bins,
            num_quantized_bins=128,
            percentile=PERCENTILE,
            scenario="same",
        )
        with contextlib.redirect_stdout(io.StringIO()):  # it prints a line per call
            for sample, _ in zip(samples, ticks, strict=False):
                found = session.run(list(chunk), dict(sample))
                named = zip(chunk, found, strict=True)
                collector.collect({name: [array] for name, array in named})
            ranges.update(collector.compute_collection_result())
    return TensorsData(histogram.result, ranges)


def _chunks(model: onnx.ModelProto, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    shapes = shapes_of(model)
    chunk: list[str] = []
    held = 0
    for name in names:
        size = 4 * int(np.prod(shapes[name]))
        if chunk and held + size > CHUNK_BYTES:
            yield tuple(chunk)
            chunk, held = [], 0
        chunk.append(name)
        held += size
    if chunk:
        yield tuple(chunk)


def _with_outputs(model: onnx.ModelProto, names: Sequence[str], path: Path) -> Path:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    values = {
        value.name: value
        for value in (*model.graph.value_info, *model.graph.input, *model.graph.output)
    }
    del copy.graph.output[:]
    copy.graph.output.extend(values[name] for name in names)
    onnx.save(copy, path)
    return path


def _session(path: Path) -> onnxruntime.InferenceSession:
    """Give a session that frees each tensor at once: no arena, reductions as soon as they can."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class _One:
    """A data reader that has one sample."""

    def __init__(self, sample: Sample) -> None:
        self._left = [dict(sample)]

    def get_next(self) -> dict[str, NDArray[np.generic]] | None:
        return self._left.pop() if self._left else None
