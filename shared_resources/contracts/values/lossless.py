"""Any frame as a stream of the contract's columns and types, converted only where nothing is lost.

Belongs here: the kinds of frame, the order of columns, streams that are larger than memory.
Does not belong here: the conversions (`conversions.py`, `conforming.py`), the types of a library
(`pandas_columns.py`, `polars_columns.py`, `duckdb_columns.py`), and judging what did not conform: it
keeps its own type, and the audit's COLUMNS rule reports it.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import arrow_schema
from shared_resources.contracts.values.conforming import InvalidFrame, Plan

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["InvalidFrame", "conform", "to_pandas"]

ROWS_PER_BATCH = 131_072
FRAMES = (
    "a pandas or polars frame, a polars LazyFrame, a pyarrow Table or RecordBatchReader, or record "
    "batches"
)
_LIBRARIES = {
    ("pandas", "DataFrame"),
    ("polars", "DataFrame"),
    ("polars", "LazyFrame"),
    ("duckdb", "DuckDBPyRelation"),
}


def conform(frame: Any, contract: Contract, *, valid: bool = False) -> pa.RecordBatchReader:
    """`frame` as a stream in the contract's column order and Arrow types.

    A column that cannot be converted without loss keeps its own type and says of which value
    (`offending.py`), extra columns stand at the end, missing ones stay missing. A stream is never
    held in memory: where only its values tell whether a conversion loses something, it is spooled
    to a temporary file first. Arrow data is validated in full, unless the caller did: `valid`.

    Raises `TypeError` for what is no frame, `InvalidFrame` for Arrow data that is not valid.
    """
    table = _as_table(frame)
    if table is not None:
        plan = Plan(table.schema, contract)
        if not valid:
            for _ in _validated(table.to_batches(), plan):
                pass
        return _conform_table(table, plan)
    reader = _as_reader(frame, contract)
    plan = Plan(reader.schema, contract)
    if not valid:
        reader = pa.RecordBatchReader.from_batches(reader.schema, _validated(reader, plan))
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

    from shared_resources.contracts.values.pandas_columns import to_series

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
        from shared_resources.contracts.values.pandas_columns import to_arrow

        columns = [to_arrow(frame.iloc[:, i]) for i in range(frame.shape[1])]
        schema = pa.schema(
            [(str(label), c.type) for label, c in zip(frame.columns, columns, strict=True)]
        )
        return pa.Table.from_arrays(columns, schema=schema)
    if name == "polars.DataFrame":
        from shared_resources.contracts.values.polars_columns import to_table

        return to_table(frame)
    return None


def _as_reader(frame: Any, contract: Contract) -> pa.RecordBatchReader:
    if isinstance(frame, pa.RecordBatchReader):
        return frame
    if _type_name(frame) == "polars.LazyFrame":
        return _scan(frame)
    if _type_name(frame) == "duckdb.DuckDBPyRelation":
        from shared_resources.contracts.values.duckdb_columns import to_reader

        return to_reader(frame, ROWS_PER_BATCH)
    if hasattr(frame, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(frame)
    if isinstance(frame, Iterable) and not isinstance(frame, str | bytes | dict):
        return _from_iterable(iter(frame), contract)
    raise TypeError(f"a {type(frame).__name__} is no frame; return {FRAMES}")


def _scan(frame: Any) -> pa.RecordBatchReader:
    import polars as pl

    from shared_resources.contracts.values.polars_columns import to_table

    schema = to_table(pl.DataFrame(schema=frame.collect_schema())).schema
    tables = (to_table(part) for part in frame.collect_batches())
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
        if (module, base.__name__) in _LIBRARIES:
            return f"{module}.{base.__name__}"
    return kind.__name__


# Conforming ------------------------------------------------------------------------------------


def _validated(batches: Iterable[pa.RecordBatch], plan: Plan) -> Iterator[pa.RecordBatch]:
    before = 0
    for batch in batches:
        plan.validate(batch, before)
        before += batch.num_rows
        yield batch


def _conform_table(table: pa.Table, plan: Plan) -> pa.RecordBatchReader:
    columns = []
    for place, position in enumerate(plan.positions):
        values = plan.converted(place, table.column(position))
        if values is None:
            plan.keep(place, table.column(position))
            values = plan.converted(place, table.column(position))
        columns.append(values)
    schema = plan.schema()
    if not columns:
        return pa.RecordBatchReader.from_batches(schema, [])
    result = pa.Table.from_arrays(columns, schema=schema)
    return result.to_reader(max_chunksize=ROWS_PER_BATCH)


def _conform_spooled(reader: pa.RecordBatchReader, plan: Plan) -> pa.RecordBatchReader:
    """Write the stream to a temporary file while looking at its values, then read it back."""
    spool = tempfile.TemporaryFile(prefix="mesh-conform-")  # noqa: SIM115 - lives as long as the stream
    before = 0
    try:
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_stream(spool, reader.schema, options=options) as writer:
            for batch in reader:
                for place, position in enumerate(plan.positions):
                    if plan.targets[place] is not None:
                        values = pa.chunked_array([batch.column(position)])
                        if plan.converted(place, values) is None:
                            plan.keep(place, values, before)
                before += batch.num_rows
                writer.write_batch(batch)
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    schema = plan.schema()
    return pa.RecordBatchReader.from_batches(schema, _read_back(spool, plan, schema))


def _read_back(spool: IO[bytes], plan: Plan, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with spool, pa.ipc.open_stream(spool) as stored:
        for batch in stored:
            yield plan.apply(batch, schema)
