"""The build config as protobuf sees it: a message type that is made from the schema at run time.

The vendor's tool hands its config to protobuf, so that protobuf's own words end its log.
"""

from collections.abc import Mapping, Sequence

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    json_format,
    message_factory,
    struct_pb2,
    text_format,
)
from google.protobuf.message import Message

from .failure import ToolFailure
from .schema import SCALARS, Json, Schema, full_name

_PACKAGES = ("common", "pulsar2.build")
_FIELD = descriptor_pb2.FieldDescriptorProto


def config_type(schema: Schema) -> type[Message]:
    """Give the type of BuildConfig. Field numbers are its own: no config in text has any."""
    pool = descriptor_pool.DescriptorPool()
    struct = descriptor_pb2.FileDescriptorProto()
    struct_pb2.DESCRIPTOR.CopyToProto(struct)
    pool.Add(struct)
    files = {
        package: descriptor_pb2.FileDescriptorProto(
            name=f"{package}.proto", package=package, syntax="proto3"
        )
        for package in _PACKAGES
    }
    files["pulsar2.build"].dependency.extend(["common.proto", struct.name])
    for name, values in schema.enums.items():
        enum = files[_package(name)].enum_type.add(name=name)
        for value, number in values.items():
            enum.value.add(name=value, number=number)
    for name, fields in schema.messages.items():
        message = files[_package(name)].message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), start=1):
            message.field.append(_field(schema, field, kind, number))
    for file in files.values():
        pool.Add(file)
    found: type[Message] = message_factory.GetMessageClass(
        pool.FindMessageTypeByName(full_name("BuildConfig"))
    )
    return found


def from_json(kind: type[Message], config: Mapping[str, Json]) -> dict[str, Json]:
    """Give a config with the schema's names, enums by name, without what has its default.

    Raises:
        ToolFailure: with protobuf's words.
    """
    message = kind()
    try:
        json_format.ParseDict(config, message)
    except (json_format.ParseError, AttributeError, TypeError) as error:
        raise ToolFailure("google.protobuf.json_format.ParseError", str(error)) from error
    return _as_dict(message)


def from_text(kind: type[Message], text: str) -> dict[str, Json]:
    """Give the config of a prototxt, as `from_json` does. Raises ToolFailure."""
    message = kind()
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as error:
        raise ToolFailure("google.protobuf.text_format.ParseError", str(error)) from error
    return _as_dict(message)


def _as_dict(message: Message) -> dict[str, Json]:
    _refuse_unknown_numbers(message)
    config: dict[str, Json] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return config


def _refuse_unknown_numbers(message: Message) -> None:
    """Refuse numbers that no enum value has: proto3 lets them in."""
    for field, value in message.ListFields():
        enum, below = field.enum_type, field.message_type
        if enum is not None and value not in enum.values_by_number:
            raise ToolFailure("ValueError", f"{value} is not a valid {enum.full_name}")
        if below is not None and below.full_name != full_name("Struct"):
            for each in value if isinstance(value, Sequence) else (value,):
                _refuse_unknown_numbers(each)


def _field(
    schema: Schema, name: str, kind: str, number: int
) -> descriptor_pb2.FieldDescriptorProto:
    item = kind.strip("[]")
    label = _FIELD.LABEL_REPEATED if kind.startswith("[") else _FIELD.LABEL_OPTIONAL
    field = _FIELD(name=name, number=number, label=label)
    if item in SCALARS:
        field.type = _FIELD.Type.Value(f"TYPE_{item.upper()}")
        return field
    field.type = _FIELD.TYPE_ENUM if item in schema.enums else _FIELD.TYPE_MESSAGE
    field.type_name = f".{full_name(item)}"
    return field


def _package(name: str) -> str:
    return full_name(name).rpartition(".")[0]
