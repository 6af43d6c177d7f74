"""Rewriting many small Parquet files of one partition as few of a good size.

Belongs here: the sizes, and the writing.
Does not belong here: which rows, and making them visible (the stores' housekeeping).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.stores.protocol import UNPARTITIONED, StagedFile
from shared_resources.stores.staging.staging import BYTES_PER_GROUP, ROWS_PER_GROUP

# Large enough that opening a file costs nothing beside reading it, small enough for one reader.
TARGET_BYTES = 128 << 20
SMALL_BYTES = TARGET_BYTES * 3 // 4


def write_compacted(
    reader: pa.RecordBatchReader, folder: Path, partition: str, target: int = TARGET_BYTES
) -> list[StagedFile]:
    """Write the stream, the rows of one partition, as files of about `target` bytes."""
    if partition != UNPARTITIONED:
        folder = folder / f"partition={partition}"
    folder.mkdir(parents=True, exist_ok=True)
    written: list[StagedFile] = []
    batches = _row_groups(reader)
    group = next(batches, None)
    while group is not None:
        path, rows = folder / f"part-{len(written):05d}.parquet", 0
        with pq.ParquetWriter(path, reader.schema, compression="zstd") as writer:
            while group is not None and path.stat().st_size < target:
                writer.write_table(group, row_group_size=max(1, group.num_rows))
                rows += group.num_rows
                group = next(batches, None)
        written.append(StagedFile(path, partition, rows))
    return written


def _row_groups(reader: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """The stream in tables of a row group's size."""
    waiting: list[pa.RecordBatch] = []
    for batch in reader:
        waiting.append(batch)
        rows, size = sum(b.num_rows for b in waiting), sum(b.nbytes for b in waiting)
        if rows >= ROWS_PER_GROUP or size >= BYTES_PER_GROUP:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if any(batch.num_rows for batch in waiting):
        yield pa.Table.from_batches(waiting)
