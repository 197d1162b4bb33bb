"""A build config in a file: JSON with comments, YAML or TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from orchestrator.domain import Json
from orchestrator.errors import ConfigError
from orchestrator.pulsar2.config.origin import Origin, below
from orchestrator.pulsar2.config.relaxed_json import read_relaxed_json

#: An alias may stand for much; a config of this many values is an accident or an attack.
_MOST_VALUES = 200_000
_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null")}

_Read = tuple[Json, dict[str, int]]


@dataclass(frozen=True, slots=True)
class ConfigText:
    """A file as it is written: nothing is checked yet.

    Attributes:
        lines: path of a key (`quant.layer_configs[2].data_type`) → its line, from 1; empty for
            TOML, whose reader does not tell.
    """

    path: Path
    data: dict[str, Json]
    lines: Mapping[str, int]

    @property
    def origin(self) -> Origin:
        """Give what messages need to point into the file."""
        return Origin(str(self.path), self.lines)


def read_config(path: Path) -> ConfigText:
    """Read a config by its suffix. Raises ConfigError with file and, where known, line."""
    read = _READERS.get(path.suffix.lower())
    if read is None:
        kinds = ", ".join(_READERS)
        hint = "write it as JSON" if path.suffix.lower() in _PROTOTXT else ""
        raise ConfigError(f"{path}: a build config must be one of {kinds}", hint)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    data, lines = read(text, str(path))
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: a build config is an object", 'it begins with "{"')
    return ConfigText(path, data, lines)


def _read_toml(text: str, source: str) -> _Read:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: not valid TOML: {error}") from error
    for key, value in data.items():
        _refuse_dates(value, key, source)
    return data, {}


def _refuse_dates(value: object, path: str, source: str) -> None:
    """Refuse the values of TOML that JSON has not."""
    if isinstance(value, dict):
        for key, one in value.items():
            _refuse_dates(one, below(path, key), source)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            _refuse_dates(one, below(path, index), source)
    elif not isinstance(value, bool | int | float | str):
        raise ConfigError(f"{source}: {path}: {value} is a date; write a text")


def _read_yaml(text: str, source: str) -> _Read:
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None, {}
        reader = _Yaml(loader, source, {})
        return reader.value(node, ""), reader.lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(f"{source}:{line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ConfigError(f"{source}: it is nested too deeply, or holds itself") from error


@dataclass(frozen=True, slots=True)
class _Yaml:
    """Turns nodes into plain values, noting where each stands."""

    loader: yaml.SafeLoader
    source: str
    lines: dict[str, int]

    def value(self, node: yaml.Node, path: str) -> Json:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        if len(self.lines) > _MOST_VALUES:
            raise ConfigError(f"{self.source}:{line}: it holds more than {_MOST_VALUES} values")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            items = enumerate(node.value)
            return [self.value(item, below(path, index)) for index, item in items]
        if node.tag not in _PLAIN_TAGS:
            kind = node.tag.rsplit(":", 1)[-1]
            raise ConfigError(f"{self.source}:{line}: {path}: a {kind} is no plain value")
        plain: Json = self.loader.construct_object(node)
        # Half of a surrogate pair cannot be written anywhere: it raises a ValueError here.
        str(plain).encode()
        return plain

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            key.encode()
            here = below(path, key)
            if key in found:
                first = self.lines[here]
                message = f"{self.source}:{line}: {here}: named twice, first on line {first}"
                raise ConfigError(message, "delete one of the two")
            self.lines[here] = line
            found[key] = self.value(value_node, here)
        return found


_READERS: dict[str, Callable[[str, str], _Read]] = {
    ".json": read_relaxed_json,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".toml": _read_toml,
}
#: The toolchain reads it too; orch does not.
_PROTOTXT = {".prototxt", ".pbtxt", ".textproto"}
