"""What one build does, as values: made of a checked config and of the model's inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .config import messages, number, numbers, text
from .failure import CodeException, ErrorCode, ToolFailure
from .margins import NO_MARGINS, Margins, margins
from .quant_settings import QuantSettings, quant_settings
from .schema import Json
from .toolversion import ToolVersion

_DEFAULT = "DEFAULT"
_NOT_DONE = ("src_extra_shapes",)
_OUTPUT_DTYPES = ("FP32", "U8", "S8", "U16", "S16", "U32", "S32")
_DTYPES = ("U8", "S8", "U16", "S16", "U32", "S32", "FP16", "FP32")


@dataclass(frozen=True, slots=True)
class Calibration:
    """The calibration data of one input; `size` -1 is all of it."""

    archive: Path
    data_format: str
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class InputProcessing:
    """What lies between the run-time input and the model's; `tensor_*` is the model's side."""

    tensor_format: str = "AutoColorSpace"
    tensor_layout: str = "NCHW"
    src_format: str = "AutoColorSpace"
    src_layout: str = "NCHW"
    src_dtype: str = "FP32"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    margins: Margins = NO_MARGINS


@dataclass(frozen=True, slots=True)
class OutputProcessing:
    """What is done to an output; `dtype` "" leaves its type as it is."""

    perm: tuple[int, ...] = ()
    dtype: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """One build: which model, for what target, with which outputs."""

    model: Path
    output_dir: Path
    output_name: str
    work_dir: Path
    target_hardware: str
    npu_mode: str
    quant: QuantSettings
    input_shapes: str

    @property
    def axmodel(self) -> Path:
        """Where the compiled model goes: to output_dir, even when work_dir is another."""
        return self.output_dir / self.output_name


def make_plan(config: Mapping[str, Json], version: ToolVersion) -> Plan:
    """Give the plan of a checked config. Raises ToolFailure, CodeException."""
    hardware = text(config, "target_hardware", "AX650")
    npu_mode = text(config, "npu_mode", "NPU1")
    modes = version.hardware[hardware].npu_modes
    if npu_mode not in modes:
        raise ToolFailure(
            "AssertionError", f"npu_mode {npu_mode} is not one of {'/'.join(modes)} of {hardware}"
        )
    model_type = text(config, "model_type", "ONNX")
    if model_type != "ONNX":
        raise ToolFailure("NotImplementedError", f"the stand-in takes ONNX only, not {model_type}")
    output_dir = text(config, "output_dir")
    # Without an input the vendor's tool opens the current folder, and says no more than that.
    if not output_dir and text(config, "input"):
        raise ToolFailure("AssertionError", "output_dir is required")
    return Plan(
        model=Path(text(config, "input", ".")),
        output_dir=Path(output_dir),
        output_name=text(config, "output_name", "compiled.axmodel"),
        work_dir=Path(text(config, "work_dir", output_dir)),
        target_hardware=hardware,
        npu_mode=npu_mode,
        quant=quant_settings(config),
        input_shapes=text(config, "input_shapes"),
    )


def calibrations(config: Mapping[str, Json], inputs: tuple[str, ...]) -> dict[str, Calibration]:
    """Give the calibration data of every input. Raises CodeException."""
    quant = config.get("quant")
    entries = messages(quant, "input_configs") if isinstance(quant, dict) else []
    chosen = _by_tensor(entries, inputs, "quant.input_configs")
    for name in inputs:
        if name not in chosen:
            raise CodeException(
                ErrorCode.QuantError,
                NotImplementedError(f"Seems config of input({name}) doesn't exist"),
            )
    return {
        name: Calibration(
            archive=Path(text(entry, "calibration_dataset", ".")),
            data_format=text(entry, "calibration_format", "Image"),
            size=number(entry, "calibration_size", 32),
            mean=numbers(entry, "calibration_mean"),
            std=numbers(entry, "calibration_std"),
        )
        for name, entry in chosen.items()
    }


def input_processing(
    config: Mapping[str, Json], calibration: Mapping[str, Calibration]
) -> dict[str, InputProcessing]:
    """Give the processing of every input; mean and std default to the calibration's."""
    entries = messages(config, "input_processors")
    chosen = _by_tensor(entries, tuple(calibration), "input_processors")
    found = {}
    for name, data in calibration.items():
        processing = _processing(name, chosen.get(name, {}))
        found[name] = replace(
            processing, mean=processing.mean or data.mean, std=processing.std or data.std
        )
    return found


def output_processing(
    config: Mapping[str, Json], outputs: tuple[str, ...]
) -> dict[str, OutputProcessing]:
    """Give the processing of the outputs that have one."""
    chosen = _by_tensor(messages(config, "output_processors"), outputs, "output_processors")
    found = {}
    for name, entry in chosen.items():
        dtype = text(entry, "output_dtype").replace("DefaultDataType", "").replace("FP32", "")
        if dtype not in ("", *_OUTPUT_DTYPES):
            raise ToolFailure(
                "NotImplementedError",
                f"output_dtype {dtype} of [{name}]: the stand-in does {', '.join(_OUTPUT_DTYPES)}",
            )
        perm = tuple(int(axis) for axis in numbers(entry, "dst_perm"))
        found[name] = OutputProcessing(perm, dtype)
    return found


def _processing(name: str, entry: Mapping[str, Json]) -> InputProcessing:
    undone = [field for field in _NOT_DONE if entry.get(field)]
    src_format = text(entry, "src_format", "AutoColorSpace")
    if src_format.startswith(("YUV", "YVU", "YUYV", "UYVY")) or text(entry, "csc_mode") not in (
        "",
        "NoCSC",
    ):
        undone.append(f"src_format {src_format} with a colour space conversion")
    dtype = text(entry, "src_dtype", "FP32").replace("DefaultDataType", "FP32")
    if dtype not in _DTYPES:
        undone.append(f"src_dtype {dtype}")
    if undone:
        raise ToolFailure(
            "NotImplementedError", f"input [{name}]: the stand-in does not do {', '.join(undone)}"
        )
    return InputProcessing(
        tensor_format=text(entry, "tensor_format", "AutoColorSpace"),
        tensor_layout=text(entry, "tensor_layout", "NCHW").replace("DefaultLayout", "NCHW"),
        src_format=src_format,
        src_layout=text(entry, "src_layout", "NCHW").replace("DefaultLayout", "NCHW"),
        src_dtype=dtype,
        mean=numbers(entry, "mean"),
        std=numbers(entry, "std"),
        margins=margins(name, entry),
    )


def _by_tensor(
    entries: list[dict[str, Json]], tensors: tuple[str, ...], field: str
) -> dict[str, dict[str, Json]]:
    chosen: dict[str, dict[str, Json]] = {}
    for entry in entries:
        name = text(entry, "tensor_name")
        if name == _DEFAULT:
            chosen = dict.fromkeys(tensors, entry) | chosen
        elif name in tensors:
            chosen[name] = entry
        else:
            raise ToolFailure(
                "KeyError", f"'tensor [{name}] of {field} is not in the model: {list(tensors)}'"
            )
    return chosen
