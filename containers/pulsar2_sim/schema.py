"""The build config's schema, and a check of a config against it with protobuf's messages."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .failure import ToolFailure
from .toolversion import ToolVersion

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

SCALARS = ("string", "bool", "int32", "float", "double")
_COMMON = ("ColorSpace", "Layout", "DataType", "NPUMode", "HardwareType", "Shape")
#: Only sub_configs may have these; a nested message is not a command line option either.
_NOT_AN_OPTION = ("compiler.start_tensor_names", "compiler.end_tensor_names")


@dataclass(frozen=True, slots=True)
class Schema:
    """Messages as field to type: a scalar's name, an enum's, a message's; `[x]` is repeated."""

    messages: Mapping[str, Mapping[str, str]]
    enums: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of an option beside its type; `least` and `most` bound its number."""

    default: str = ""
    required: bool = False
    format: str = ""
    option: tuple[str, ...] = ()
    limitation: str = ""
    least: float = -math.inf
    most: float = math.inf


@dataclass(frozen=True, slots=True)
class Option:
    """A field that the command line can set: `path` is `npu_mode` or `quant.check`."""

    path: str
    kind: str
    repeated: bool
    choices: tuple[str, ...]
    note: Note


def load_schema(version: ToolVersion) -> Schema:
    """Give the schema with the chips, NPU modes and fields of one version."""
    path = Path(__file__).parent / "build_schema.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    enums = {name: tuple(values) for name, values in raw["enums"].items()}
    enums["HardwareType"] = tuple(version.hardware)
    enums["NPUMode"] = tuple(version.npu_modes)
    messages = {
        message: {
            field: kind
            for field, kind in fields.items()
            if f"{message}.{field}" not in version.without_fields
        }
        for message, fields in raw["messages"].items()
    }
    return Schema(messages, enums)


def options(schema: Schema) -> list[Option]:
    """Give what the command line can set: the scalars at the top and one message below."""
    found = []
    notes = option_notes()
    for name, kind in schema.messages["BuildConfig"].items():
        fields = {name: kind}
        if kind in schema.messages:
            fields = {f"{name}.{field}": of for field, of in schema.messages[kind].items()}
        for path, of in fields.items():
            item = of.strip("[]")
            if (item in SCALARS or item in schema.enums) and path not in _NOT_AN_OPTION:
                note = notes.get(path, Note())
                choices = note.option or schema.enums.get(item, ())
                found.append(Option(path, item, of.startswith("["), choices, note))
    return found


def option_notes() -> dict[str, Note]:
    """Read defaults and limits of the options."""
    path = Path(__file__).parent / "option_notes.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: Note(**one | {"option": tuple(one.get("option", ()))}) for name, one in raw.items()
    }


def check_limits(config: Mapping[str, Json]) -> None:
    """Refuse numbers and data types that their options do not allow. Raises ToolFailure."""
    for path, note in option_notes().items():
        value: Json = dict(config)
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and not note.least <= float(str(value)) <= note.most:
            raise ToolFailure(
                "ValueError", f"{path} {value} exceeds its limitation {note.limitation}"
            )
        if note.option and isinstance(value, str) and value not in note.option:
            raise ToolFailure("ValueError", f"{path} {value} is none of {', '.join(note.option)}")


def check(schema: Schema, value: Json, message: str = "BuildConfig") -> None:
    """Check a config, every key and enum of it. Raises ToolFailure."""
    if not isinstance(value, dict):
        raise _parse_error(f"Failed to parse {message}: {value!r} is not a message")
    for name, item in value.items():
        kind = schema.messages[message].get(name)
        if kind is None:
            raise _parse_error(f'Message type "{_full_name(message)}" has no field named "{name}"')
        if kind.startswith("["):
            if not isinstance(item, list):
                raise _parse_error(
                    f"Failed to parse {name} field: repeated field {name} must be "
                    f"in [] which is {item}"
                )
            for entry in item:
                _check_item(schema, name, entry, kind.strip("[]"))
        elif item is not None:
            _check_item(schema, name, item, kind)


def _check_item(schema: Schema, name: str, item: Json, kind: str) -> None:
    if kind in schema.messages:
        check(schema, item, kind)
    elif kind in schema.enums:
        numbers = range(len(schema.enums[kind]))
        if item not in schema.enums[kind] and (isinstance(item, bool) or item not in numbers):
            raise _parse_error(
                f"Failed to parse {name} field: Invalid enum value {item} for enum type "
                f"{_full_name(kind)}"
            )
    elif not _fits(item, kind):
        raise _parse_error(f"Failed to parse {name} field: expected {kind}, got {item!r}")


def _fits(item: Json, kind: str) -> bool:
    if kind == "string":
        return isinstance(item, str)
    if kind == "bool":
        return isinstance(item, bool)
    if kind == "int32":
        return not isinstance(item, bool) and isinstance(item, int | float) and item == int(item)
    if kind == "Struct":
        return isinstance(item, dict)
    return isinstance(item, int | float) and not isinstance(item, bool)


def _full_name(kind: str) -> str:
    return f"{'common' if kind in _COMMON else 'pulsar2.build'}.{kind}"


def _parse_error(message: str) -> ToolFailure:
    return ToolFailure("google.protobuf.json_format.ParseError", message)
