"""A foreign Parquet file decoded once before it is adopted: are its pages and its footer true?

Belongs here: decoding every page, and comparing what is found with the footer's statistics.
Does not belong here: schemas (`reader.py`), or files that this platform wrote itself.

The audit answers what it can from footers, and reads no column that no rule names. For a file that
came from elsewhere that would take a producer's word for its nulls, minima and maxima, and would
publish a damaged page that only a reader then runs into.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources import arrow_functions as pc
from shared_resources.contracts.model import Contract
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.formats.out_of_range import refuse_outside
from shared_resources.sql import exact_path, quote_identifier
from shared_resources.state.per_process import OncePerProcess
from shared_resources.stores.reading.duck import in_memory

LAND_AGAIN = "land it again; it is cut off or damaged"
DAMAGE = (pa.ArrowException, OSError, ValueError)
WRITE_OTHERWISE = "write it in a way that Arrow and DuckDB read, such as Snappy or Zstandard pages"
LARGEST_BATCH_ROWS = 65_536
LARGEST_BATCH_BYTES = 16 << 20
# What is only looked at, and repetitive text not even decoded, may be more where columns are few: a
# fifth less of the processor's time.
LARGEST_SEEN_ROWS, LARGEST_SEEN_VALUES = 262_144, 2_097_152
LARGEST_REPETITIVE_BYTES = 4  # a value
# Row groups looked at beside each other, unless they are so large that their pages fill the memory.
READERS = 2
LARGEST_GROUP_BYTES = 256 << 20


def batch_rows(metadata: pq.FileMetaData, most: int = LARGEST_BATCH_ROWS) -> int:
    """How many rows to decode at a time: fewer where they are long, by the footer's account."""
    groups = range(metadata.num_row_groups)
    size: int = sum(metadata.row_group(group).total_byte_size for group in groups)
    rows: int = metadata.num_rows
    return max(1, min(most, LARGEST_BATCH_BYTES * rows // max(1, size)))


def footer_is_true(file: Path, object_key: str, contract: Contract) -> bool:
    """Decode every page by Arrow; whether what the footer says of each column and group is so.

    The file's columns are of the contract's types. Raises `UnreadableObject` naming the column and
    the row group of a page that cannot be decoded, or the row of a day that no contract's type has.
    """
    repetitive: list[str] = []
    # A third of what the rest takes of a small file, where no column could be among them.
    if any(pa.types.is_string(column.type.arrow) for column in contract.columns):
        with pq.ParquetFile(file) as plain:
            try:
                repetitive = _repetitive_texts(plain)
            except DAMAGE as error:
                raise _damaged(plain, object_key, 0, error) from error
    options = {"read_dictionary": repetitive, "page_checksum_verification": True}
    with pq.ParquetFile(file, **options) as parquet:
        rows = 0
        for group, found in enumerate(_row_groups(parquet, file, options, object_key, contract)):
            if not found.agrees(parquet.metadata.row_group(group)):
                return False
            rows += found.rows
        return bool(rows == parquet.metadata.num_rows)  # said once more, for the whole file


def _row_groups(
    parquet: pq.ParquetFile,
    file: Path,
    options: Mapping[str, Any],
    object_key: str,
    contract: Contract,
) -> Iterator[_Found]:
    """What each row group holds, in their order.

    A row is named by how many the footer says are before its group: whoever goes through them stops
    at the first for which that is not true.
    """
    metadata = parquet.metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    starts = [0, *accumulate(group.num_rows for group in groups)][: len(groups)]
    if len(groups) < 2 or max(group.total_byte_size for group in groups) > LARGEST_GROUP_BYTES:
        for number, before in enumerate(starts):
            yield _decoded(parquet, object_key, number, contract, before, threads=True)
        return
    # Arrow's own threads would decode columns beside each other, after which one looks at all the
    # values; these look as well. With both, they wait for each other: a third of the processor's time.
    each = threading.local()
    with ExitStack() as opened, ThreadPoolExecutor(READERS, thread_name_prefix="pages") as pool:

        def decoded(number: int, before: int) -> _Found:
            if not hasattr(each, "parquet"):
                each.parquet = opened.enter_context(pq.ParquetFile(file, **options))
            return _decoded(each.parquet, object_key, number, contract, before, threads=False)

        yield from pool.map(decoded, range(len(groups)), starts)


def decode_again(file: Path, object_key: str, names: Sequence[str]) -> None:
    """By the engine that audits and that readers use: Arrow overlooks damage in a page's header.

    Raises `UnreadableObject`.
    """
    columns = f"first(row({', '.join(map(quote_identifier, names))}))"
    scan = f"read_parquet({exact_path(str(file))}, hive_partitioning = false)"
    query = f"SELECT {columns} FROM {scan}"  # noqa: S608
    try:
        with _engine().cursor() as connection:
            connection.execute("SET enable_progress_bar = false")
            connection.execute(query).fetchall()
        return
    except duckdb.Error:
        _engine.forget()  # a file can break the database that reads it, and with it what comes after
    try:
        with in_memory() as connection:
            connection.execute(query).fetchall()
    except duckdb.Error as error:
        problem = f"cannot be read ({reason(error)})"
        raise UnreadableObject(object_key, problem, LAND_AGAIN) from error


def refused_by_audit(object_key: str, said: str) -> UnreadableObject:
    """The refusal of a half decoded file of which the audit found that DuckDB cannot read it."""
    return UnreadableObject(object_key, f"cannot be read ({said})", LAND_AGAIN)


def _open_engine() -> duckdb.DuckDBPyConnection:
    connection = in_memory()
    connection.execute("SET enable_external_file_cache = false")  # each file is looked at once
    return connection


# Opening one takes 20 ms, a third of ingesting a day of some thousand rows.
_engine = OncePerProcess(_open_engine)


def _repetitive_texts(parquet: pq.ParquetFile) -> list[str]:
    """Text columns that are stored as few texts many times, to be looked at in that form."""
    metadata, schema = parquet.metadata, parquet.schema_arrow
    if not metadata.num_row_groups:
        return []
    # What the footer says of a column is asked after something of it was decoded: that raises for a
    # damaged footer, where asking would end the process.
    next(parquet.iter_batches(batch_size=1, row_groups=[0]), None)
    columns = [metadata.row_group(0).column(i) for i in range(metadata.num_columns)]
    return [
        field.name
        for field, column in zip(schema, columns, strict=True)
        if pa.types.is_string(field.type)
        and column.total_uncompressed_size < LARGEST_REPETITIVE_BYTES * column.num_values
    ]


def _decoded(
    parquet: pq.ParquetFile,
    object_key: str,
    group: int,
    contract: Contract,
    before: int,
    *,
    threads: bool,
) -> _Found:
    found = _Found(parquet.schema_arrow)
    try:
        many = LARGEST_SEEN_VALUES // max(1, parquet.metadata.num_columns)
        many = max(LARGEST_BATCH_ROWS, min(LARGEST_SEEN_ROWS, many))
        rows = batch_rows(parquet.metadata, many)
        for batch in parquet.iter_batches(rows, row_groups=[group], use_threads=threads):
            for name, values in zip(batch.schema.names, batch.columns, strict=True):
                refuse_outside(object_key, contract, name, values, before + found.rows)
            found.add(batch)
    except DAMAGE as error:
        raise _damaged(parquet, object_key, group, error) from error
    return found


class _Found:
    """What one row group really holds."""

    def __init__(self, schema: pa.Schema) -> None:
        self.rows = 0
        self._nulls = [0] * len(schema)
        self._least: list[Any] = [None] * len(schema)
        self._greatest: list[Any] = [None] * len(schema)
        self._texts: list[pa.Array | None] = [None] * len(schema)

    def add(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        for i, values in enumerate(batch.columns):
            self._nulls[i] += values.null_count
            if pa.types.is_dictionary(values.type):
                texts, used = values.dictionary, values.indices.unique().drop_null()
                if not _same(texts, self._texts[i]):
                    texts.validate(full=True)
                    self._texts[i] = texts
                values = texts.take(used)  # a text that no row has is no bound of theirs
            else:
                values.validate(full=True)  # invalid UTF-8, decimals out of their precision
            bounds = pc.min_max(values)  # NaN left out, as it is of a footer's, unless all are
            least, greatest = bounds["min"].as_py(), bounds["max"].as_py()
            if least is not None and least == least:
                self._least[i] = _least(self._least[i], least)
                self._greatest[i] = _greatest(self._greatest[i], greatest)

    def agrees(self, footer: pq.RowGroupMetaData) -> bool:
        """Whether the footer's counts and bounds are these.

        Bounds that lie further apart than the values are allowed, and are as bad as a lie: DuckDB
        answers `max` from them.
        """
        columns = (footer.column(i) for i in range(footer.num_columns))
        return footer.num_rows == self.rows and all(
            column.num_values == self.rows and self._agrees(i, column.statistics)
            for i, column in enumerate(columns)
        )

    def _agrees(self, i: int, said: pq.Statistics | None) -> bool:
        if said is None:
            return True
        if said.has_null_count and said.null_count != self._nulls[i]:
            return False
        if not said.has_min_max:
            return True
        try:
            return bool(said.min == self._least[i] and self._greatest[i] == said.max)
        except (TypeError, ValueError, OverflowError):  # bounds that cannot be had are no bounds
            return False


def _same(texts: pa.Array, before: pa.Array | None) -> bool:
    """Whether two dictionaries are one in memory; batches of a row group share theirs."""
    if before is None or len(texts) != len(before):
        return False
    buffers = zip(texts.buffers(), before.buffers(), strict=True)
    return all(a is b or (a and b and a.address == b.address) for a, b in buffers)


def _least(one: Any, other: Any) -> Any:
    return other if one is None or other < one else one


def _greatest(one: Any, other: Any) -> Any:
    return other if one is None or other > one else one


def _damaged(
    parquet: pq.ParquetFile, object_key: str, group: int, error: BaseException
) -> UnreadableObject:
    """The refusal, with the column that alone cannot be decoded."""
    place = f"row group {group + 1}"
    for name in parquet.schema_arrow.names:
        try:
            for batch in parquet.iter_batches(row_groups=[group], columns=[name]):
                batch.validate(full=True)
        except DAMAGE as alone:
            error, place = alone, f"column {name!r}, {place}"
            break
    problem = f"cannot be read ({reason(error)})"
    return UnreadableObject(object_key, problem, remedy(error), place)


def remedy(error: BaseException) -> str:
    """What to do about a file that cannot be read for that error."""
    unknown = isinstance(error, pa.ArrowNotImplementedError)
    return WRITE_OTHERWISE if unknown else LAND_AGAIN


def reason(error: BaseException) -> str:
    """The first line of an engine's message."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
