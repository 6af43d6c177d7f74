"""Protobuf messages in a schema registry's frames, as the contract's columns.

Belongs here: message indexes, parsing with Google's own library, fields as columns.
Does not belong here: schemas (`schemas.py`), frames (`../framing.py`).

A message that holds fields which its own schema does not know is malformed: most strings of bytes parse
as some such message.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import Family
from shared_resources.landing.formats.json_fields import unstorable
from shared_resources.landing.rejects import Reason
from shared_resources.landing.typed_cells import problem as problem_of
from shared_resources.streams.decoding.decoded import (
    Decoded,
    Part,
    Undecodable,
    put_together,
    schema_of,
)
from shared_resources.streams.decoding.framing import unframed
from shared_resources.streams.decoding.json.carefully import CarefulReader
from shared_resources.streams.decoding.protobuf.schemas import (
    TIMESTAMP,
    ProtobufField,
    Writer,
    file_of,
    refused,
    writer_of,
)
from shared_resources.streams.decoding.registry import SchemaRegistry, UnknownSchema

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_INDEXES = 32


class _Malformed(ValueError):
    """What a message's bytes, or a value in it, have wrong."""


class ProtobufDecoder:
    """See `Decoder`. With `ignores_extra`, fields that the contract does not know are left out."""

    def __init__(
        self, contract: Contract, registry: SchemaRegistry, *, ignores_extra: bool = False
    ) -> None:
        self._contract = contract
        self._registry = registry
        self._ignores_extra = ignores_extra
        self._schema = schema_of(contract)
        self._files: dict[int, Any] = {}
        self._writers: dict[tuple[int, tuple[int, ...]], Writer] = {}
        self._careful = CarefulReader(contract, ignores_extra)

    def decode(self, values: pa.Array) -> Decoded:
        """Raises `RegistryUnreachable` when a schema cannot be asked for."""
        framed = unframed(values)
        undecodable = list(framed.undecodable)
        grouped: dict[tuple[int, tuple[int, ...]], list[tuple[int, bytes]]] = defaultdict(list)
        bodies = framed.bodies(slice(None))
        triples = zip(framed.positions.tolist(), framed.ids.tolist(), bodies, strict=True)
        for position, id_, body in triples:
            try:
                indexes, start = _indexes(body)
            except _Malformed as malformed:
                undecodable.append(_refusal(position, None, str(malformed)))
                continue
            grouped[id_, indexes].append((position, body[start:]))
        parts, ignored = [], set[str]()
        for (id_, indexes), messages in grouped.items():
            writer = self._writer(id_, indexes)
            if writer.problems:
                undecodable += (Undecodable(position, writer.problems) for position, _ in messages)
                continue
            ignored |= writer.ignored
            part, refusals = self._read(writer, messages)
            parts.append(part)
            undecodable += refusals
        return put_together(self._schema, parts, undecodable, framed.tombstones, ignored)

    def _writer(self, id_: int, indexes: tuple[int, ...]) -> Writer:
        if (id_, indexes) in self._writers:
            return self._writers[id_, indexes]
        try:
            found = self._registry.schema(id_)
        except UnknownSchema as unknown:  # it may be registered yet: not kept
            return refused(str(unknown))
        if found.kind != "PROTOBUF":
            writer = refused(f"schema {id_} is not Protobuf")
        elif found.refers:
            writer = refused(f"schema {id_} refers to others, which is not supported")
        else:
            if id_ not in self._files:
                self._files[id_] = file_of(found.text)
            file = self._files[id_]
            if file is None:
                writer = refused(f"schema {id_} cannot be compiled")
            else:
                writer = writer_of(file, indexes, self._contract, self._ignores_extra)
        self._writers[id_, indexes] = writer
        return writer

    def _read(
        self, writer: Writer, messages: Sequence[tuple[int, bytes]]
    ) -> tuple[Part, list[Undecodable]]:
        places, parsed, refusals = [], [], []
        for position, body in messages:
            try:
                message = writer.message.FromString(body)
            except DecodeError:
                refusals.append(_refusal(position, None, "cannot be read by its schema"))
                continue
            if len(UnknownFieldSet(message)):
                said = "holds fields that its own schema does not have"
                refusals.append(_refusal(position, None, said))
                continue
            places.append(position)
            parsed.append(message)
        bad: dict[int, Undecodable] = {}
        columns = {}
        for field in writer.fields:
            columns[field.column.name] = self._column(field, parsed, places, bad)
        frame = pl.DataFrame(
            [
                columns[name]
                if name in columns
                else pl.repeat(None, len(places), dtype=dtype, eager=True).alias(name)
                for name, dtype in self._schema.items()
            ]
        )
        positions = pl.Series(places, dtype=pl.UInt32)
        kept = pl.Series([row not in bad for row in range(len(places))], dtype=pl.Boolean)
        return Part(positions.filter(kept), frame.filter(kept)), [*refusals, *bad.values()]

    def _column(
        self,
        field: ProtobufField,
        messages: Sequence[Any],
        places: Sequence[int],
        bad: dict[int, Undecodable],
    ) -> pl.Series:
        name, dtype = field.column.name, self._schema[field.column.name]
        value_of = _value_of(field)
        values: list[Any] = []
        for row, message in enumerate(messages):
            try:
                values.append(value_of(message))
            except _Malformed as malformed:
                bad[row] = _refusal(places[row], name, str(malformed))
                values.append(None)
        if not field.as_text:
            return pl.Series(name, values, dtype, strict=False)
        cells, type_, format_ = pl.Series(name, values, pl.String), field.column.type, (
            field.column.text_format
        )  # fmt: skip
        found = self._careful.values(type_, format_, cells)
        for row in (found.is_null() & cells.is_not_null()).arg_true().to_list():
            said = problem_of(type_, cells[row], format_)
            bad[row] = Undecodable(places[row], (Reason(name, cells[row], said),))
        return found.cast(dtype)


def _refusal(position: int, column: str | None, problem: str) -> Undecodable:
    return Undecodable(position, (Reason(column, None, problem),))


def _value_of(field: ProtobufField) -> Callable[[Any], Any]:
    """How a message's value of the field is had."""
    descriptor, family = field.descriptor, field.column.type.family
    name, optional = descriptor.name, descriptor.has_presence

    def value(message: Any) -> Any:
        if optional and not message.HasField(name):
            return None
        found = getattr(message, name)
        if field.wrapped:
            found = found.value
        if isinstance(found, str):
            if said := unstorable(found):
                raise _Malformed(said)
        elif family is Family.STRING:
            symbol = descriptor.enum_type.values_by_number.get(found)
            if symbol is None:
                raise _Malformed("holds a number that the enum of its schema does not have")
            return symbol.name
        elif descriptor.message_type is not None and descriptor.message_type.full_name == TIMESTAMP:
            return _moment(found)
        return found

    return value


def _moment(stamp: Any) -> datetime:
    if stamp.nanos % 1000:
        raise _Malformed("finer than microseconds, which would be lost")
    try:
        return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)
    except OverflowError:
        raise _Malformed("out of the years 1 to 9999") from None


def _indexes(body: bytes) -> tuple[tuple[int, ...], int]:
    """The path of the message's type in its file, and where the message itself starts."""
    count, at = _zigzag(body, 0)
    if count == 0:
        return (0,), at
    if not 0 < count <= _MOST_INDEXES:
        raise _Malformed("does not name the message type of its schema after the frame")
    path = []
    for _ in range(count):
        index, at = _zigzag(body, at)
        if index < 0:
            raise _Malformed("does not name the message type of its schema after the frame")
        path.append(index)
    return tuple(path), at


def _zigzag(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 35:
        if at >= len(body):
            break
        byte = body[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
    raise _Malformed("ends before the message itself")
