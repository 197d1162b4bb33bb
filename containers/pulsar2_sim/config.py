"""A build's settings: the config file, with the command line on top, checked against the schema."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml
from google.protobuf.message import Message

from .failure import ToolFailure
from .protobuf_config import from_json, from_text
from .schema import Json, check_limits

_COMMENT_OR_STRING = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*|#[^\n]*')
#: Settings that the stand-in really uses; any other is taken, checked and without effect.
_USED = frozenset(
    {
        "compiler.check",
        "compiler.check_atol",
        "compiler.check_cosine_simularity",
        "compiler.check_mode",
        "compiler.check_rtol",
        "compiler.check_tensor_black_list",
        "compiler.input_sample_dir",
        "compiler.npu_perf",
        "const_processors",
        "input",
        "input_processors",
        "input_shapes",
        "model_type",
        "npu_mode",
        "onnx_opt.model_check",
        "op_processors",
        "output_dir",
        "output_name",
        "output_processors",
        "quant.calibration_method",
        "quant.conv_bias_data_type",
        "quant.enable_smooth_quant",
        "quant.highest_mix_precision",
        "quant.input_configs",
        "quant.input_sample_dir",
        "quant.layer_configs",
        "quant.precision_analysis",
        "quant.precision_analysis_method",
        "quant.precision_analysis_mode",
        "quant.refine_weight_threshold",
        "quant.smooth_quant_strength",
        "quant.smooth_quant_threshold",
        "quant.transformer_opt_level",
        "quant_op_processors",
        "target_hardware",
        "work_dir",
    }
)


def read_config(path: Path, kind: type[Message]) -> dict[str, Json]:
    """Read a JSON file with comments, YAML, TOML or prototxt. Raises ToolFailure."""
    known = (*_READERS, _PROTOTXT)
    if path.suffix not in known:
        failed = f"config {path}: only {', '.join(known)} are read"
        raise ToolFailure("NotImplementedError", failed)
    try:
        given = path.read_text(encoding="utf-8")
        if path.suffix == _PROTOTXT:
            return from_text(kind, given)
        config = _READERS[path.suffix](given)
    except (OSError, UnicodeDecodeError) as error:
        raise ToolFailure(type(error).__name__, str(error)) from error
    except (ValueError, yaml.YAMLError) as error:
        name = _ERRORS[path.suffix]
        raise ToolFailure(name, f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise ToolFailure("google.protobuf.json_format.ParseError", f"{path} holds no object")
    return config


def _read_json(text: str) -> Json:
    config: Json = json.loads(strip_comments(text))
    return config


def _read_yaml(text: str) -> Json:
    config: Json = yaml.safe_load(text)
    return config


_PROTOTXT = ".prototxt"
_READERS: Mapping[str, Callable[[str], Json]] = {
    ".json": _read_json,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".toml": tomllib.loads,
}
_ERRORS = {
    ".json": "commentjson.commentjson.JSONLibraryException",
    ".yaml": "yaml.YAMLError",
    ".yml": "yaml.YAMLError",
    ".toml": "toml.decoder.TomlDecodeError",
}


def strip_comments(text: str) -> str:
    """Give `text` without its `//` and `#` comments; those inside strings are no comments."""
    return _COMMENT_OR_STRING.sub(lambda found: found[1] or "", text)


def merge(
    kind: type[Message], file_config: Mapping[str, Json], options: Mapping[str, Json]
) -> dict[str, Json]:
    """Check the file, lay the options (`quant.check`: 1) over it. Raises ToolFailure."""
    config = from_json(kind, file_config)
    for path, value in options.items():
        *parents, field = path.split(".")
        holder = config
        for parent in parents:
            below = holder.setdefault(parent, {})
            if not isinstance(below, dict):
                raise ToolFailure("TypeError", f"{parent} is not a message")
            holder = below
        holder[field] = value
    merged = from_json(kind, config)
    check_limits(merged)
    return merged


def without_effect(config: Mapping[str, Json]) -> list[str]:
    """Give the paths of the settings that are not at rest and that the stand-in does not use."""
    found = []
    for name, value in config.items():
        below = {name: value}
        if isinstance(value, dict):
            below = {f"{name}.{field}": item for field, item in value.items()}
        found += [path for path, item in below.items() if path not in _USED and item]
    return sorted(found)


def text(message: Mapping[str, Json], field: str, default: str = "") -> str:
    """Give a string or an enum's name."""
    value = message.get(field)
    return value if isinstance(value, str) and value else default


def number(message: Mapping[str, Json], field: str, default: int) -> int:
    """Give an integer."""
    value = message.get(field)
    return int(value) if isinstance(value, int | float) else default


def numbers(message: Mapping[str, Json], field: str) -> tuple[float, ...]:
    """Give a list of numbers."""
    return tuple(float(item) for item in _items(message, field) if isinstance(item, int | float))


def strings(message: Mapping[str, Json], field: str) -> tuple[str, ...]:
    """Give a list of strings."""
    return tuple(item for item in _items(message, field) if isinstance(item, str))


def real(message: Mapping[str, Json], field: str, default: float) -> float:
    """Give a number."""
    value = message.get(field)
    return float(value) if isinstance(value, int | float) else default


def messages(message: Mapping[str, Json], field: str) -> list[dict[str, Json]]:
    """Give a list of messages."""
    return [item for item in _items(message, field) if isinstance(item, dict)]


def _items(message: Mapping[str, Json], field: str) -> Sequence[Json]:
    value = message.get(field)
    return value if isinstance(value, list) else ()
