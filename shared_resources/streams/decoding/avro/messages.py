"""Avro messages in a schema registry's frames, as the contract's columns.

Belongs here: reading the messages of each writer's schema, fields as columns, what fastavro must read.
Does not belong here: bytes (`cursors.py`), schemas (`schemas.py`), frames (`../framing.py`).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import Family
from shared_resources.contracts.values.moments import limits
from shared_resources.landing.formats.json_fields import unstorable
from shared_resources.landing.rejects import Reason
from shared_resources.streams.decoding.avro.cursors import (
    BRANCH,
    DIGITS,
    MORE,
    PROBLEMS,
    SYMBOL,
    YEARS,
    Cursors,
)
from shared_resources.streams.decoding.avro.schemas import AvroField, Writer, writer_of
from shared_resources.streams.decoding.decoded import (
    Decoded,
    Part,
    Undecodable,
    put_together,
    schema_of,
)
from shared_resources.streams.decoding.framing import Framed, Places, as_text, unframed
from shared_resources.streams.decoding.registry import SchemaRegistry, UnknownSchema

_UNITS = {"millis": 1000, "micros": 1}
Mask = npt.NDArray[np.bool_]


class AvroDecoder:
    """See `Decoder`. With `ignores_extra`, fields that the contract does not know are left out."""

    def __init__(
        self, contract: Contract, registry: SchemaRegistry, *, ignores_extra: bool = False
    ) -> None:
        self._contract = contract
        self._registry = registry
        self._ignores_extra = ignores_extra
        self._schema = schema_of(contract)
        self._writers: dict[int, Writer] = {}

    def decode(self, values: pa.Array) -> Decoded:
        """Raises `RegistryUnreachable` when a schema cannot be asked for."""
        framed = unframed(values)
        undecodable = list(framed.undecodable)
        parts, ignored = [], set[str]()
        for id_ in np.unique(framed.ids).tolist():
            chosen = np.flatnonzero(framed.ids == id_)
            writer = self._writer(id_)
            if writer.problems:
                places = framed.positions[chosen].tolist()
                undecodable += (Undecodable(place, writer.problems) for place in places)
                continue
            ignored |= writer.ignored
            part, refused = self._read(writer, framed, chosen)
            parts.append(part)
            undecodable += refused
        return put_together(self._schema, parts, undecodable, framed.tombstones, ignored)

    def _writer(self, id_: int) -> Writer:
        if id_ not in self._writers:
            try:
                found = self._registry.schema(id_)
            except UnknownSchema as unknown:  # it may be registered yet: not kept
                return Writer((), (Reason(None, None, str(unknown)),))
            if found.kind != "AVRO":
                writer = Writer((), (Reason(None, None, f"schema {id_} is not Avro"),))
            elif found.refers:
                said = f"schema {id_} refers to others, which is not supported"
                writer = Writer((), (Reason(None, None, said),))
            else:
                writer = writer_of(found.text, self._contract, self._ignores_extra)
            self._writers[id_] = writer
        return self._writers[id_]

    def _read(
        self, writer: Writer, framed: Framed, chosen: Places
    ) -> tuple[Part, list[Undecodable]]:
        positions = framed.positions[chosen]
        if writer.parsed is not None:
            return self._singly(writer, positions.tolist(), framed.bodies(chosen))
        cursors = Cursors(framed.buffer, framed.starts[chosen], framed.ends[chosen])
        reader = _Reader(cursors, len(chosen))
        found = {}
        for field in writer.fields:
            read = reader.read(field)
            if field.column is not None:
                found[field.column.name] = read
        cursors.finish()
        good = cursors.problem == 0
        refused = [
            Undecodable(int(positions[row]), (Reason(None, None, PROBLEMS[cursors.problem[row]]),))
            for row in np.flatnonzero(~good).tolist()
        ]
        columns = []
        for name, dtype in self._schema.items():
            values = found.get(name)
            if values is None:
                columns.append(pl.repeat(None, len(chosen), dtype=dtype, eager=True).alias(name))
            else:
                columns.append(pl.Series(name, values))
        return self._part(positions[good], pl.DataFrame(columns).filter(pl.Series(good)), refused)

    def _part(
        self, positions: Places, frame: pl.DataFrame, refused: list[Undecodable]
    ) -> tuple[Part, list[Undecodable]]:
        """The rows as the contract's types; texts that are none, or cannot be stored, are refused."""
        bad: dict[int, Reason] = {}
        columns = []
        for name, dtype in self._schema.items():
            column = frame.get_column(name)
            if dtype == pl.String and column.dtype == pl.Binary:
                column, problems = as_text(column)
                bad |= {row: Reason(name, None, said) for row, said in problems.items()}
            if dtype == pl.String and column.dtype == pl.String:
                held = column.str.contains("\0", literal=True).fill_null(False)
                bad |= {
                    row: Reason(name, None, unstorable("\0")) for row in held.arg_true().to_list()
                }
            columns.append(column.cast(dtype))
        whole, places = pl.DataFrame(columns), pl.Series(positions, dtype=pl.UInt32)
        if not columns or not bad:
            return Part(places, whole), refused
        refused += (Undecodable(int(positions[row]), (said,)) for row, said in bad.items())
        kept = pl.Series([row not in bad for row in range(whole.height)], dtype=pl.Boolean)
        return Part(places.filter(kept), whole.filter(kept)), refused

    def _singly(
        self, writer: Writer, positions: Sequence[int], bodies: Sequence[bytes]
    ) -> tuple[Part, list[Undecodable]]:
        """Messages whose schema has more than columns can be: fields that are left out, nested."""
        import fastavro  # of the extra `streams`

        rows, places, refused = [], [], []
        names = [(f.name, f.column.name) for f in writer.fields if f.column is not None]
        for position, body in zip(positions, bodies, strict=True):
            stream = io.BytesIO(body)
            try:
                row: Any = fastavro.schemaless_reader(stream, writer.parsed, None)
                said = PROBLEMS[MORE] if stream.tell() < len(body) else ""
            except Exception as problem:  # noqa: BLE001 -- whatever is wrong with its bytes
                said = f"cannot be read by its schema ({type(problem).__name__})"
            if said:
                refused.append(Undecodable(position, (Reason(None, None, said),)))
                continue
            rows.append({own: row[name] for name, own in names})
            places.append(position)
        frame = (
            pl.DataFrame(rows, schema=self._schema) if rows else pl.DataFrame(schema=self._schema)
        )
        return self._part(np.array(places, np.int64), frame, refused)


class _Reader:
    """One field of all messages after the other, as Arrow."""

    def __init__(self, cursors: Cursors, rows: int) -> None:
        self._cursors = cursors
        self._everything = np.arange(rows)

    def read(self, field: AvroField) -> pa.Array:
        rows, missing = self._everything, None
        if field.in_union:
            branch = self._cursors.long(rows)
            self._cursors.refuse(rows[(branch != field.null) & (branch != field.value)], BRANCH)
            missing = branch != field.value
            rows = rows[~missing]
        if field.kind == "null":
            return pa.nulls(len(self._everything))
        present = self._present(field, rows)
        if missing is None or not missing.any():
            return present
        # Each row's place among those that have a value.
        places = np.cumsum(~missing) - 1
        return present.take(pa.array(places, pa.int64(), mask=missing))

    def _present(self, field: AvroField, rows: Places) -> pa.Array:
        at = self._cursors
        match field.kind:
            case "boolean":
                return pa.array(at.boolean(rows))
            case "float":
                return pa.array(at.floats(rows, 4))
            case "double":
                return pa.array(at.floats(rows, 8))
            case "enum":
                return self._symbols(field, rows)
            case "int" | "long":
                return self._numbers(field, rows)
        if field.logical == "decimal":
            return self._decimals(field, rows)
        if field.kind == "fixed":
            at.fixed(rows, field.size)
            return pa.nulls(len(rows))  # of no column: none takes it
        data, offsets = at.gathered(*at.span(rows))
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(rows), buffers)

    def _symbols(self, field: AvroField, rows: Places) -> pa.Array:
        place = self._cursors.integer(rows)
        wrong = (place < 0) | (place >= len(field.symbols))
        self._cursors.refuse(rows[wrong], SYMBOL)
        place[wrong] = 0
        return pa.array(field.symbols, pa.large_string()).take(pa.array(place))

    def _numbers(self, field: AvroField, rows: Places) -> pa.Array:
        number = self._cursors.integer(rows) if field.kind == "int" else self._cursors.long(rows)
        if field.column is None or field.column.type.family in (
            Family.INTEGER,
            Family.FLOAT,
            Family.DECIMAL,
        ):
            return pa.array(number)
        type_ = field.column.type.arrow
        unit = _UNITS.get(field.logical.rpartition("-")[2], 1)
        first, end = limits(type_)
        outside = (number < first // unit) | (number >= end // unit)
        self._cursors.refuse(rows[outside], YEARS)
        number = np.where(outside, 0, number) * unit
        stored = pa.int32() if type_ == pa.date32() else pa.int64()
        return pa.array(number).cast(stored).cast(type_)

    def _decimals(self, field: AvroField, rows: Places) -> pa.Array:
        size = field.size if field.kind == "fixed" else 0
        data = self._cursors.decimals(rows, size)
        precision = max(1, min(field.precision, 38))
        type_ = pa.decimal128(precision, field.scale)
        found = _decimal_array(data, type_)
        try:
            found.validate(full=True)
        except pa.ArrowInvalid:
            high, low = data.view("<i8")[:, 1], data.view("<u8")[:, 0]
            numbers = [int(h) << 64 | int(w) for h, w in zip(high, low, strict=True)]
            wrong = np.array([abs(number) >= 10**precision for number in numbers])
            self._cursors.refuse(rows[wrong], DIGITS)
            data[wrong] = 0
            found = _decimal_array(data, type_)
        return found if field.column is None else found.cast(field.column.type.arrow)


def _decimal_array(data: npt.NDArray[np.uint8], type_: pa.DataType) -> pa.Array:
    return pa.Decimal128Array.from_buffers(type_, len(data), [None, pa.py_buffer(data)])
