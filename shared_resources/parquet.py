"""How the platform writes Parquet: in which groups of rows, and which columns by dictionary.

Belongs here: the writer that every room uses for files of rows.
Does not belong here: which rows, how they are split into files (`stores/staging/`), reading.

Arrow writes every column by dictionary until it holds 1 MiB, and what it has hashed by then in vain
costs two thirds of writing and a third of the file (10 million rows of an order line: 3.5 s and
216 MiB, against 1.4 s and 139 MiB). So a dictionary is for the columns whose values repeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_PER_GROUP = 131_072
BYTES_PER_GROUP = 32 << 20
# A column of a million values shows all but surely within these whether it repeats them.
_SAMPLED_ROWS = 16_384
# A dictionary of so few values costs less than finding out whether it is of use.
_FEW_ROWS = 2_000
_COMPRESSION = "zstd"


def parquet_writer(
    path: Path, schema: pa.Schema, first: pa.Table | None = None
) -> pq.ParquetWriter:
    """A writer for rows like those of `first`, the first that it will be given."""
    repeating: list[str] | bool = True
    if first is not None and first.num_rows > _FEW_ROWS:
        repeating = _repeating(first)
    return pq.ParquetWriter(path, schema, compression=_COMPRESSION, use_dictionary=repeating)


def write_parquet(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write the stream to one file, in bounded memory; the number of its rows."""
    rows = 0
    groups = row_groups(batches)
    group = next(groups, None)
    with parquet_writer(path, schema, group) as writer:
        while group is not None:
            write_group(writer, group)
            rows += group.num_rows
            group = next(groups, None)
    return rows


def write_group(writer: pq.ParquetWriter, rows: pa.Table) -> None:
    """Write the rows as one row group."""
    writer.write_table(rows, row_group_size=max(1, rows.num_rows))


def row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The stream in tables of a row group's size; none of them is empty."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        waiting.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= ROWS_PER_GROUP or size >= BYTES_PER_GROUP:
            yield pa.Table.from_batches(waiting)
            waiting, rows, size = [], 0, 0
    if rows:
        yield pa.Table.from_batches(waiting)


def _repeating(rows: pa.Table) -> list[str] | bool:
    """The columns whose values come twice on average or more often; all (True) where one is nested,
    as those are named by their leaves."""
    if any(pa.types.is_nested(field.type) for field in rows.schema):
        return True
    sample = rows.slice(0, _SAMPLED_ROWS)
    return [
        name
        for name, values in zip(sample.schema.names, sample.columns, strict=True)
        if 2 * len(values.unique()) <= len(values)
    ]
