"""The rows of a foreign Parquet file that has to be rewritten, each checked for what it is.

Belongs here: decoding them in bounded memory, what is no value of its own type, text that is not
marked as such.
Does not belong here: the contract's types (`contracts/values/lossless.py`), a file that is adopted
as it is (`pages.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources import arrow_functions as pc
from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import Family
from shared_resources.contracts.values.offending import described, first_offending
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.formats.out_of_range import refuse_outside
from shared_resources.landing.formats.parquet import int96
from shared_resources.landing.formats.parquet.pages import batch_rows


class ForeignRows:
    """A file's rows. `found` is its schema, `reader` gives text where bytes stand for a text column.

    Impala, Hive and others write text without saying that it is UTF-8.
    """

    def __init__(
        self, parquet: pq.ParquetFile, file: Path, object_key: str, contract: Contract
    ) -> None:
        landed = contract.landed_names
        self.found = pa.schema(
            field.with_name(landed.get(field.name, field.name)) for field in parquet.schema_arrow
        )
        self._parquet = parquet
        self._file = file
        self._key = object_key
        self._contract = contract
        texts = {c.name for c in contract.columns if c.type.family is Family.STRING}
        self._unmarked = [
            i for i, f in enumerate(self.found) if f.name in texts and _is_bytes(f.type)
        ]

    def reader(self) -> pa.RecordBatchReader:
        """The rows; what is no value of its type raises `UnreadableObject` or one of `DAMAGE`."""
        known = {column.name for column in self._contract.columns}
        named = self._contract.landed_names
        every = int96.int96_columns(self._parquet.metadata)
        old = [column for column in every if named.get(column, column) in known]
        int96.check_exact(self._file, self._key, self._contract, old)
        schema = self.found
        for i in self._unmarked:
            schema = schema.set(i, self.found.field(i).with_type(pa.string()))
        promised = self._promised(schema)
        return pa.RecordBatchReader.from_batches(promised, self._batches(schema, promised))

    def _promised(self, schema: pa.Schema) -> pa.Schema:
        """The contract's columns of the file in its order, then those that it may lack and lacks."""
        known = {column.name: column.type.arrow for column in self._contract.columns}
        kept = [field for field in schema if field.name in known]
        absent = [pa.field(name, t) for name, t in known.items() if name not in schema.names]
        return pa.schema([*kept, *absent])

    def _as_promised(self, batch: pa.RecordBatch, promised: pa.Schema) -> pa.RecordBatch:
        if promised.names == batch.schema.names:
            return batch
        there = set(batch.schema.names)
        columns = [
            batch.column(f.name) if f.name in there else pa.nulls(batch.num_rows, f.type)
            for f in promised
        ]
        return pa.RecordBatch.from_arrays(columns, schema=promised)

    def _batches(self, schema: pa.Schema, promised: pa.Schema) -> Iterator[pa.RecordBatch]:
        metadata = self._parquet.metadata
        before = 0
        for batch in self._parquet.iter_batches(batch_size=batch_rows(metadata)):
            batch.validate(full=True)  # invalid UTF-8 would pass for text
            columns = batch.columns
            for i in self._unmarked:
                columns[i] = self._text(schema.names[i], columns[i], before)
            for name, values in zip(schema.names, columns, strict=True):
                refuse_outside(self._key, self._contract, name, values, before)
            before += batch.num_rows
            whole = pa.RecordBatch.from_arrays(columns, schema=schema)
            yield self._as_promised(whole, promised)
        if before != metadata.num_rows:  # a damaged page header ends its column without an error
            raise pa.ArrowInvalid(
                f"its pages hold {before:,} rows, its footer says {metadata.num_rows:,}"
            )

    def _text(self, column: str, values: pa.Array, before: int) -> pa.Array:
        given = pa.chunked_array([values])
        position = first_offending(given, _is_text)
        if position is None:
            return pc.cast(values, pa.string())
        found = described(given, position, self._contract, column, before)
        raise UnreadableObject(
            self._key,
            f"holds {values.type} where the contract has {pa.string()}, and {found}, which is no "
            "UTF-8",
            "land it as text in UTF-8",
            f"column {column!r}",
        )


def _is_bytes(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or type_ == pa.binary_view()
    )


def _is_text(values: pa.ChunkedArray) -> bool:
    try:
        pc.cast(values, pa.string())
    except pa.ArrowInvalid:
        return False
    return True
