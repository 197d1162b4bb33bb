"""`compiler.check`: what was compiled, read back from the axmodel, against the quantized graph.

1 sees that it runs and gives tensors of the right type and shape, 2 that they are close
(check_rtol, check_atol), 3 that their cosine reaches check_cosine_simularity. The float model
plays no part.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from . import console
from .axmodel import SUBGRAPH, embedded_graph
from .config import text
from .failure import CodeException, ErrorCode, ToolFailure
from .likeness import Likeness
from .model import graph_inputs, tensors
from .run import fused_session
from .schema import Json
from .stepping import Array, Tensors, computed_tensors
from .tensor_files import random_array, read_samples

_DATA, _COSINE = 2, 3
_PLACE = "yamain.common.util:check_data:206"
_GRAPH = f"{SUBGRAPH}_b1"


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """What `compiler.check*` asks for; `level` 0 is no check."""

    level: int
    per_layer: bool
    rtol: float
    atol: float
    cosine: float
    black_list: tuple[re.Pattern[str], ...]
    sample_dir: Path | None


def check_settings(config: Mapping[str, Json]) -> CheckSettings:
    """Give the settings of a checked config. Raises ToolFailure."""
    compiler = config.get("compiler")
    given = compiler if isinstance(compiler, dict) else {}
    level = _float(given, "check", 0)
    if level not in (0, 1, _DATA, _COSINE):
        raise ToolFailure("AssertionError", f"compiler.check {level:g} is not one of 0, 1, 2, 3")
    names = given.get("check_tensor_black_list")
    sample_dir = text(given, "input_sample_dir")
    return CheckSettings(
        level=int(level),
        per_layer=text(given, "check_mode") == "CheckPerLayer",
        rtol=_float(given, "check_rtol", 1e-5),
        atol=_float(given, "check_atol", 0),
        cosine=_float(given, "check_cosine_simularity", 0.999),
        black_list=tuple(map(_pattern, names if isinstance(names, list) else ())),
        sample_dir=Path(sample_dir) if sample_dir else None,
    )


def wants_front_end_check(config: Mapping[str, Json]) -> bool:
    """Say whether a checked config asks to compare the rewritten float model with the given one."""
    options = config.get("onnx_opt")
    return isinstance(options, dict) and bool(options.get("model_check"))


def check_compiled(
    settings: CheckSettings,
    axmodel: onnx.ModelProto,
    reference: onnx.ModelProto,
    calibration: Tensors,
) -> None:
    """Compare both run-time graphs on each sample. Raises CodeException when they differ.

    Without samples for this, `calibration`, a sample of the float model, serves where the run-time
    graph takes the same, and random data elsewhere.
    """
    if not settings.level:
        return
    graph = embedded_graph(axmodel)
    if graph is None:
        raise CodeException(ErrorCode.NPUBackendError, AssertionError("no npu graph to check"))
    compiled = onnx.load_model_from_string(graph)
    compare = _layers if settings.per_layer else _outputs
    failed: dict[str, None] = {}
    for feed in _feeds(settings, reference, calibration):
        for name, found, wanted in compare(compiled, reference, feed):
            if not any(pattern.fullmatch(name) for pattern in settings.black_list):
                fault = _difference(settings, found, wanted)
                _say(f"check npu graph [{_GRAPH}]", name, found, fault)
                failed |= {name: None} if fault else {}
    if failed:
        message = f"check npu graph [{_GRAPH}] failed, {list(failed)}"
        raise CodeException(ErrorCode.NPUBackendError, AssertionError(message))


def check_front_end(optimized: onnx.ModelProto, original: onnx.ModelProto, sample: Tensors) -> None:
    """Compare the rewritten float model with the one that was given. Raises CodeException."""
    settings = CheckSettings(_COSINE, False, 0, 0, 0.999, (), None)
    failed = []
    for name, found, wanted in _outputs(optimized, original, sample):
        fault = _difference(settings, found, wanted)
        _say("check onnx parser e2e", name, found, fault)
        failed += [name] if fault else []
    if failed:
        raise CodeException(
            ErrorCode.OnnxOptimizationError,
            AssertionError(f"check onnx parser e2e failed, {failed}"),
        )


def _feeds(
    settings: CheckSettings, reference: onnx.ModelProto, calibration: Tensors
) -> list[dict[str, Array]]:
    inputs = tensors(graph_inputs(reference))
    if settings.sample_dir is not None:
        return read_samples(inputs, settings.sample_dir)
    generator = np.random.default_rng(0)
    feed = {}
    for tensor in inputs:
        array = calibration[tensor.name]
        if (array.dtype, array.shape) != (tensor.dtype, tensor.shape):
            array = random_array(tensor, generator)
            console.log(
                "INFO",
                "yamain.command.load_model:ir_compiler_transformation:821",
                f"use random data as gt input: {tensor.name}, {tensor.dtype.name}, {tensor.shape}",
            )
        feed[tensor.name] = array
    return [feed]


def _outputs(
    compiled: onnx.ModelProto, reference: onnx.ModelProto, feed: Tensors
) -> Iterator[tuple[str, Array, Array]]:
    names = [value.name for value in reference.graph.output]
    found, wanted = (
        fused_session(model.SerializeToString()).run(names, dict(feed))
        for model in (compiled, reference)
    )
    yield from zip(names, found, wanted, strict=True)


def _layers(
    compiled: onnx.ModelProto, reference: onnx.ModelProto, feed: Tensors
) -> Iterator[tuple[str, Array, Array]]:
    """Give each tensor of the reference with that of the same name of the compiled graph."""
    ahead = computed_tensors(compiled, feed)
    pending: dict[str, Array] = {}
    for name, wanted in computed_tensors(reference, feed):
        while name not in pending:
            made = next(ahead, None)
            if made is None:
                raise CodeException(
                    ErrorCode.NPUBackendError, AssertionError(f"[{name}] is not in the npu graph")
                )
            pending[made[0]] = made[1]
        yield name, pending.pop(name), wanted


def _difference(settings: CheckSettings, found: Array, wanted: Array) -> str:
    """Say how far both are apart, or nothing when that is near enough."""
    if (found.dtype, found.shape) != (wanted.dtype, wanted.shape):
        return f"want {wanted.dtype.name} {wanted.shape}"
    if np.array_equal(found, wanted):
        return ""
    if found.dtype.kind == "f" and not np.array_equal(np.isfinite(found), np.isfinite(wanted)):
        return "it has values that are not finite"
    if settings.level == _COSINE:
        likeness = Likeness()
        likeness.add(found, wanted)
        low = not likeness.cosine >= settings.cosine
        return f"cosine {likeness.cosine:.6f} is below {settings.cosine}" if low else ""
    close = np.isclose(found, wanted, rtol=settings.rtol, atol=settings.atol, equal_nan=True)
    if settings.level < _DATA or close.all():
        return ""
    away = int(close.size - np.count_nonzero(close))
    return f"{away} of {close.size} differ, rtol {settings.rtol:g}, atol {settings.atol:g}"


def _say(what: str, name: str, array: Array, fault: str) -> None:
    tensor = f"{what} [{name}], {array.shape}, {array.dtype.name}"
    if fault:
        console.log("ERROR", _PLACE, f"{tensor} failed: {fault}")
    else:
        console.log("SUCCESS", _PLACE, f"{tensor} successfully!")


def _pattern(name: Json) -> re.Pattern[str]:
    try:
        return re.compile(str(name))
    except re.error as error:
        raise ToolFailure(
            "re.error", f"compiler.check_tensor_black_list {str(name)!r}: {error}"
        ) from error


def _float(message: Mapping[str, Json], field: str, default: float) -> float:
    value = message.get(field)
    return float(value) if isinstance(value, int | float) else default
