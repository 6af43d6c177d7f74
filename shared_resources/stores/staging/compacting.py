"""Rewriting many small Parquet files of one partition as few of a good size.

Belongs here: the sizes, and the writing.
Does not belong here: which rows, and making them visible (the stores' housekeeping).
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from shared_resources.parquet import parquet_writer, row_groups, write_group
from shared_resources.stores.protocol import UNPARTITIONED, StagedFile

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
    batches = row_groups(reader)
    group = next(batches, None)
    while group is not None:
        path, rows = folder / f"part-{len(written):05d}.parquet", 0
        with parquet_writer(path, reader.schema, group) as writer:
            while group is not None and path.stat().st_size < target:
                write_group(writer, group)
                rows += group.num_rows
                group = next(batches, None)
        written.append(StagedFile(path, partition, rows))
    return written
