"""A writer's Protobuf schema against the contract: which field becomes which column, or why none can.

Belongs here: descriptors from a schema's text, what each column takes without loss.
Does not belong here: messages (`messages.py`), asking the registry (`../registry.py`).

A column takes a field of its own type, an enum's name as text, a `Timestamp`, a wrapper such as
`Int64Value`; and from a text, which is where Protobuf has no type, a date, a decimal or a timestamp, by
the rules of texts in JSON. Lists, maps, bytes and nested messages are no columns.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from shared_resources.contracts.model import Column, Contract
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.landing.formats.json_fields import UNKNOWN, JsonColumns
from shared_resources.landing.rejects import Reason
from shared_resources.problems import MeshProblem

_COMPILE_SECONDS = 60
TIMESTAMP = "google.protobuf.Timestamp"
_WRAPPERS = frozenset(
    f"google.protobuf.{kind}Value"
    for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String")
)
_D = FieldDescriptor
_INTEGERS = {
    **dict.fromkeys((_D.TYPE_INT32, _D.TYPE_SINT32, _D.TYPE_SFIXED32), (32, 10)),
    **dict.fromkeys((_D.TYPE_UINT32, _D.TYPE_FIXED32), (64, 10)),
    **dict.fromkeys((_D.TYPE_INT64, _D.TYPE_SINT64, _D.TYPE_SFIXED64), (64, 19)),
    **dict.fromkeys((_D.TYPE_UINT64, _D.TYPE_FIXED64), (128, 20)),
}
_NAMES = {
    getattr(_D, name): name[len("TYPE_") :].lower() for name in dir(_D) if name.startswith("TYPE_")
}
# What a text becomes by the rules of texts.
_FROM_TEXT = frozenset({Family.DATE, Family.TIMESTAMP, Family.TIMESTAMP_TZ, Family.DECIMAL})


@dataclass(frozen=True)
class ProtobufField:
    """A field that becomes `column`. `wrapped`: its value is in the field `value` of a message."""

    descriptor: Any
    column: Column
    wrapped: bool = False
    as_text: bool = False


@dataclass(frozen=True)
class Writer:
    """How messages of one type are read: as `message`, a class. With `problems` they are not."""

    message: Any
    fields: tuple[ProtobufField, ...]
    problems: tuple[Reason, ...]
    ignored: frozenset[str] = frozenset()


def refused(problem: str) -> Writer:
    return Writer(None, (), (Reason(None, None, problem),))


class CompilesTooLong(MeshProblem):
    """A schema was not compiled in time. No message is rejected for that."""


def file_of(text: str) -> Any | None:
    """The file that a schema's text describes; None for a text that is none. Raises `CompilesTooLong`."""
    with tempfile.TemporaryDirectory(prefix="mesh-schema-") as folder:
        source, compiled = Path(folder) / "schema.proto", Path(folder) / "compiled"
        source.write_text(text, encoding="utf-8")
        # In a process of its own: its compiler is C++, and the text another's.
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", "--include_imports"]
        try:
            done = subprocess.run(
                [*command, f"--descriptor_set_out={compiled}", source.name],
                cwd=folder, capture_output=True, timeout=_COMPILE_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise CompilesTooLong(
                f"a Protobuf schema was not compiled within {_COMPILE_SECONDS} s; start the stream again "
                "when the machine is less busy: no message was passed over"
            ) from None
        if done.returncode != 0:
            return None
        files = descriptor_pb2.FileDescriptorSet.FromString(compiled.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool.FindFileByName(source.name)


def writer_of(file: Any, indexes: Sequence[int], contract: Contract, ignores_extra: bool) -> Writer:
    """The plan for the message type at `indexes`, from the outermost in, of a schema's file."""
    try:
        descriptor: Descriptor = list(file.message_types_by_name.values())[indexes[0]]
        for index in indexes[1:]:
            descriptor = descriptor.nested_types[index]
    except IndexError:
        return refused("its frame names a message type that its schema does not have")
    columns = JsonColumns(contract.columns, ignores_extra)
    own = columns.named(dict.fromkeys(field.name for field in descriptor.fields))
    declared = {column.name: column for column in contract.columns}
    fields, problems, ignored = [], list[Reason](), set[str]()
    for field, name in zip(descriptor.fields, own, strict=True):
        column = declared.get(name)
        if column is None:
            ignored.add(field.name)
            if not ignores_extra:
                problems.append(Reason(field.name, None, UNKNOWN))
            continue
        plan, why = _taken(field, column)
        if why:
            problems.append(Reason(name, None, why))
        elif plan is not None:
            fields.append(plan)
    problems += (
        Reason(column.name, None, "the writer's schema has no such field, and it is required")
        for column in contract.columns
        if column.required and column.name not in own
    )
    message = message_factory.GetMessageClass(descriptor)
    return Writer(message, tuple(fields), tuple(problems), frozenset(ignored))


def _taken(field: Any, column: Column) -> tuple[ProtobufField | None, str]:
    """The plan of a field, or why its column does not take it."""
    type_ = column.type
    if field.is_repeated:
        return None, "the writer's list is no value of a column"
    kind, wrapped = field.type, False
    if kind == _D.TYPE_MESSAGE:
        name = field.message_type.full_name
        if name == TIMESTAMP and type_.family is Family.TIMESTAMP_TZ:
            return ProtobufField(field, column), ""
        if name not in _WRAPPERS:
            return None, f"the writer's message {name} is no {type_}"
        kind, wrapped = field.message_type.fields_by_name["value"].type, True
    as_text = kind == _D.TYPE_STRING and type_.family in _FROM_TEXT
    if as_text or _holds(kind, type_):
        return ProtobufField(field, column, wrapped, as_text), ""
    return None, f"the writer's {_NAMES[kind]} holds values that {type_} does not"


def _holds(kind: int, type_: ColumnType) -> bool:
    width, digits = _INTEGERS.get(kind, (0, 0))
    match type_.family:
        case Family.STRING:
            return kind in (_D.TYPE_STRING, _D.TYPE_ENUM)
        case Family.INTEGER:
            return 0 < width <= type_.width
        case Family.DECIMAL:
            return 0 < digits <= type_.precision - type_.scale
        case Family.FLOAT:
            wide = type_.width == 64 and (kind == _D.TYPE_DOUBLE or width == 32)
            return kind == _D.TYPE_FLOAT or wide
        case Family.BOOLEAN:
            return bool(kind == _D.TYPE_BOOL)
    return False
