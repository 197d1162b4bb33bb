"""A build's settings: the config file, with the command line on top, checked against the schema."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml

from .failure import ToolFailure
from .schema import Json, Schema, check, check_limits

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
        "input",
        "input_processors",
        "input_shapes",
        "model_type",
        "npu_mode",
        "onnx_opt.model_check",
        "output_dir",
        "output_name",
        "output_processors",
        "quant.calibration_method",
        "quant.input_configs",
        "quant.input_sample_dir",
        "quant.precision_analysis",
        "quant.precision_analysis_method",
        "quant.precision_analysis_mode",
        "target_hardware",
        "work_dir",
    }
)


def read_config(path: Path) -> dict[str, Json]:
    """Read a JSON file with comments, YAML or TOML. Raises ToolFailure."""
    reader = _READERS.get(path.suffix)
    if reader is None:
        known = ", ".join(_READERS)
        raise ToolFailure("NotImplementedError", f"config {path}: the stand-in reads {known} only")
    try:
        config = reader(path.read_text(encoding="utf-8"))
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
    schema: Schema, file_config: Mapping[str, Json], options: Mapping[str, Json]
) -> dict[str, Json]:
    """Check the file, lay the options (`quant.check`: 1) over it. Raises ToolFailure."""
    config: dict[str, Json] = json.loads(json.dumps(file_config))
    check(schema, config)
    for path, value in options.items():
        *parents, field = path.split(".")
        holder = config
        for parent in parents:
            below = holder.setdefault(parent, {})
            if not isinstance(below, dict):
                raise ToolFailure("TypeError", f"{parent} is not a message")
            holder = below
        holder[field] = value
    check(schema, config)
    named = _names_of_enums(schema, config, "BuildConfig")
    check_limits(named)
    return named


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


def messages(message: Mapping[str, Json], field: str) -> list[dict[str, Json]]:
    """Give a list of messages."""
    return [item for item in _items(message, field) if isinstance(item, dict)]


def _items(message: Mapping[str, Json], field: str) -> Sequence[Json]:
    value = message.get(field)
    return value if isinstance(value, list) else ()


def _names_of_enums(schema: Schema, config: Mapping[str, Json], message: str) -> dict[str, Json]:
    fields = schema.messages[message]
    return {name: _named(schema, value, fields[name]) for name, value in config.items()}


def _named(schema: Schema, value: Json, kind: str) -> Json:
    if isinstance(value, list):
        return [_named(schema, item, kind.strip("[]")) for item in value]
    if isinstance(value, dict) and kind in schema.messages:
        return _names_of_enums(schema, value, kind)
    if isinstance(value, int) and kind in schema.enums:
        return schema.enums[kind][value]
    return value
