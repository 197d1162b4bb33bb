"""The build config's schema: its messages and enums, and what is known of each option."""

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
    """Messages as field to type: a scalar's name, an enum's, a message's; `[x]` is repeated.

    Enums are names to numbers.
    """

    messages: Mapping[str, Mapping[str, str]]
    enums: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of an option beside its type; `least` and `most` bound its number."""

    about: str = ""
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

    @property
    def type_name(self) -> str:
        """What the help calls its type."""
        if self.kind not in SCALARS:
            return "enum"
        name = {"int32": "int"}.get(self.kind, self.kind)
        return f"{name} array" if self.repeated else name


def load_schema(version: ToolVersion) -> Schema:
    """Give the schema with the chips, NPU modes and fields of one version."""
    path = Path(__file__).parent / "build_schema.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    enums: dict[str, Mapping[str, int]] = raw["enums"]
    enums["HardwareType"] = {name: chip.code for name, chip in version.hardware.items()}
    enums["NPUMode"] = version.npu_modes
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
                choices = note.option or tuple(schema.enums.get(item, ()))
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


def full_name(kind: str) -> str:
    """Give the name of a message or enum with its package."""
    if kind == "Struct":
        return "google.protobuf.Struct"
    return f"{'common' if kind in _COMMON else 'pulsar2.build'}.{kind}"
