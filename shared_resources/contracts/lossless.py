"""Any frame as a stream of the contract's columns and types, converted only where nothing is lost.

Belongs here: the kinds of frame, the order of columns, streams that are larger than memory.
Does not belong here: the conversions (`conversions.py`), pandas' types (`pandas_columns.py`), and
judging what did not conform: it keeps its own type, and the audit's COLUMNS rule reports it.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shared_resources.contracts.conversions import always_converts, convert, plain
from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import ColumnType, arrow_schema

if TYPE_CHECKING:
    import pandas as pd

ROWS_PER_BATCH = 131_072
FRAMES = (
    "a pandas or polars frame, a polars LazyFrame, a pyarrow Table or RecordBatchReader, or record "
    "batches"
)


def conform(frame: Any, contract: Contract) -> pa.RecordBatchReader:
    """`frame` as a stream in the contract's column order and Arrow types.

    A column that cannot be converted without loss keeps its own type, extra columns stand at the
    end, missing ones stay missing. A stream is never held in memory: where only its values tell
    whether a conversion loses something, it is spooled to a temporary file first.

    Raises `TypeError` for what is no frame.
    """
    table = _as_table(frame)
    if table is not None:
        return _conform_table(table, contract)
    reader = _as_reader(frame, contract)
    plan = _Plan(reader.schema, contract)
    if plan.needs_values:
        return _conform_spooled(reader, plan)
    schema = plan.schema()
    batches = (plan.apply(batch, schema) for batch in reader)
    return pa.RecordBatchReader.from_batches(schema, batches)


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """The table as pandas, losslessly: what `conform` gets back is what was here.

    Integers with nulls are Int64 or Int32, booleans with nulls boolean, text is the Arrow-backed
    string type, timestamps are datetime64[us], dates and decimals Arrow types. Only the difference
    of null and NaN in a float column goes, which no rule of a contract makes.
    """
    import pandas as pd

    from shared_resources.contracts.pandas_columns import to_series

    series = {position: to_series(column) for position, column in enumerate(table.columns)}
    frame = pd.DataFrame(series, index=pd.RangeIndex(table.num_rows))
    frame.columns = pd.Index(table.column_names, dtype=object)
    return frame


# Frames ----------------------------------------------------------------------------------------


def _as_table(frame: Any) -> pa.Table | None:
    """The frame as a table when it is in memory already; None for a stream."""
    if isinstance(frame, pa.Table):
        return frame
    if isinstance(frame, pa.RecordBatch):
        return pa.Table.from_batches([frame])
    name = _type_name(frame)
    if name == "pandas.DataFrame":
        from shared_resources.contracts.pandas_columns import to_arrow

        columns = [to_arrow(frame.iloc[:, i]) for i in range(frame.shape[1])]
        schema = pa.schema(
            [(str(label), c.type) for label, c in zip(frame.columns, columns, strict=True)]
        )
        return pa.Table.from_arrays(columns, schema=schema)
    if name == "polars.DataFrame":
        return frame.to_arrow()
    return None


def _as_reader(frame: Any, contract: Contract) -> pa.RecordBatchReader:
    if isinstance(frame, pa.RecordBatchReader):
        return frame
    if _type_name(frame) == "polars.LazyFrame":
        return _scan(frame)
    if hasattr(frame, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(frame)
    if isinstance(frame, Iterable) and not isinstance(frame, str | bytes | dict):
        return _from_iterable(iter(frame), contract)
    raise TypeError(f"a {type(frame).__name__} is no frame; return {FRAMES}")


def _scan(frame: Any) -> pa.RecordBatchReader:
    import polars as pl

    schema = pl.DataFrame(schema=frame.collect_schema()).to_arrow().schema
    tables = (part.to_arrow() for part in frame.collect_batches())
    batches = (batch for table in tables for batch in table.cast(schema).to_batches())
    return pa.RecordBatchReader.from_batches(schema, batches)


def _from_iterable(batches: Iterator[Any], contract: Contract) -> pa.RecordBatchReader:
    first = next(batches, None)
    if first is None:
        schema = arrow_schema(tuple((c.name, c.type) for c in contract.columns))
        return pa.RecordBatchReader.from_batches(schema, [])
    if not isinstance(first, pa.RecordBatch):
        raise TypeError(f"an iterable of {type(first).__name__} is no frame; return {FRAMES}")

    def checked() -> Iterator[pa.RecordBatch]:
        for batch in itertools.chain([first], batches):
            if not isinstance(batch, pa.RecordBatch) or batch.schema != first.schema:
                found = batch.schema if isinstance(batch, pa.RecordBatch) else type(batch)
                raise TypeError(
                    "record batches of one frame differ in their schema; give all of them the "
                    f"first one's.\nFirst:\n{first.schema}\nLater:\n{found}"
                )
            yield batch

    return pa.RecordBatchReader.from_batches(first.schema, checked())


def _type_name(frame: Any) -> str:
    kind = type(frame)
    for base in kind.__mro__:
        module = base.__module__.split(".")[0]
        if module in ("pandas", "polars") and base.__name__ in ("DataFrame", "LazyFrame"):
            return f"{module}.{base.__name__}"
    return kind.__name__


# Conforming ------------------------------------------------------------------------------------


class _Plan:
    """Where each column of the result comes from, and what it becomes.

    `positions` are those of the source columns in the order of the result, `targets` the contract's
    types (None for an extra column).
    """

    def __init__(self, source: pa.Schema, contract: Contract) -> None:
        self.source = source
        declared = {column.name: column.type for column in contract.columns}
        taken = [source.names.index(name) for name in declared if name in source.names]
        extra = [i for i in range(len(source)) if i not in set(taken)]
        self.positions = taken + extra
        self.names = [source.names[i] for i in self.positions]
        self.targets: list[ColumnType | None] = [
            *(declared[source.names[i]] for i in taken), *(None for _ in extra)
        ]  # fmt: skip
        pairs = zip(self.positions, self.targets, strict=True)
        self.needs_values = any(
            target is not None and not always_converts(source.types[i], target)
            for i, target in pairs
        )

    def keep(self, place: int) -> None:
        """Let a column of the result keep its own type."""
        self.targets[place] = None

    def converted(self, place: int, values: pa.ChunkedArray) -> pa.ChunkedArray | None:
        """One column of the result; None when it cannot have the contract's type."""
        target = self.targets[place]
        return _storable(values) if target is None else convert(values, target)

    def schema(self) -> pa.Schema:
        types = [
            _storable(pa.chunked_array([], self.source.types[i])).type if t is None else t.arrow
            for i, t in zip(self.positions, self.targets, strict=True)
        ]
        return pa.schema(list(zip(self.names, types, strict=True)))

    def apply(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        """A batch of which every column is known to convert."""
        columns = []
        for place, position in enumerate(self.positions):
            values = self.converted(place, pa.chunked_array([batch.column(position)]))
            assert values is not None
            columns.append(values.combine_chunks())
        return pa.RecordBatch.from_arrays(columns, schema=schema)


def _conform_table(table: pa.Table, contract: Contract) -> pa.RecordBatchReader:
    plan = _Plan(table.schema, contract)
    columns = []
    for place, position in enumerate(plan.positions):
        values = plan.converted(place, table.column(position))
        columns.append(_storable(table.column(position)) if values is None else values)
    schema = pa.schema([(n, c.type) for n, c in zip(plan.names, columns, strict=True)])
    if not columns:
        return pa.RecordBatchReader.from_batches(schema, [])
    result = pa.Table.from_arrays(columns, schema=schema)
    return result.to_reader(max_chunksize=ROWS_PER_BATCH)


def _conform_spooled(reader: pa.RecordBatchReader, plan: _Plan) -> pa.RecordBatchReader:
    """Write the stream to a temporary file while looking at its values, then read it back."""
    spool = tempfile.TemporaryFile(prefix="mesh-conform-")  # noqa: SIM115 - lives as long as the stream
    try:
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_stream(spool, reader.schema, options=options) as writer:
            for batch in reader:
                for place, position in enumerate(plan.positions):
                    if plan.targets[place] is not None:
                        values = pa.chunked_array([batch.column(position)])
                        if plan.converted(place, values) is None:
                            plan.keep(place)
                writer.write_batch(batch)
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    schema = plan.schema()
    return pa.RecordBatchReader.from_batches(schema, _read_back(spool, plan, schema))


def _read_back(spool: IO[bytes], plan: _Plan, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with spool, pa.ipc.open_stream(spool) as stored:
        for batch in stored:
            yield plan.apply(batch, schema)


def _storable(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as Parquet can hold it; what it cannot hold becomes text in a struct."""
    from shared_resources.contracts.pandas_columns import as_mixed

    values = plain(values)
    try:
        pq.ParquetWriter(pa.BufferOutputStream(), pa.schema([("x", values.type)])).close()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        try:
            return as_mixed(pc.cast(values, pa.string()))
        except pa.ArrowNotImplementedError:
            text = [None if value is None else str(value) for value in values.to_pylist()]
            return as_mixed(pa.chunked_array([pa.array(text, pa.string())]))
    return values
