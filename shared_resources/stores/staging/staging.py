"""Staging: a stream of record batches becomes the Parquet files of a staged batch.

Belongs here: splitting by partition and writing, in bounded memory.
Does not belong here: converting values (`contracts/values/lossless.py`), judging them (`governance/`), or
where the folder is (the stores).

Layout: `part-00000.parquet`, for a partitioned product `partition=2017-03-01/part-00000.parquet`.
Data that breaks the contract is written as it is: finding that is the audit's part.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources import arrow_functions as pc
from shared_resources.contracts.model import Contract
from shared_resources.parquet import BYTES_PER_GROUP, ROWS_PER_GROUP, parquet_writer, write_group
from shared_resources.stores.protocol import UNPARTITIONED, StagedFile

BUFFERED_BYTES = 64 << 20
# Encoding is what costs; pyarrow releases the lock for it, and two threads halve the time.
WRITER_THREADS = 2
PENDING_GROUPS = 4
# A year of days fits; a backfill over years must not run into the limit of open files (1,024).
OPEN_FILES = 400


def write_staged(
    reader: pa.RecordBatchReader, folder: Path, contract: Contract, partitions: Sequence[str]
) -> tuple[StagedFile, ...]:
    """Write the stream below `folder`; every partition asked for gets at least one file.

    `partitions` are day keys, or ``("",)`` for a product without partitions. Rows whose day was not
    asked for, or cannot be told, go into the first partition's file, where the audit finds them.
    Memory stays bounded whatever the size and order of the stream.
    """
    with ThreadPoolExecutor(WRITER_THREADS, thread_name_prefix="stage") as pool:
        output = _Output(folder, reader.schema, pool)
        try:
            if contract.partitioning is None or len(partitions) == 1:
                for batch in reader:
                    output.add(partitions[0], pa.Table.from_batches([batch]))
            else:
                column = contract.partitioning.column
                for batch in reader:
                    for partition, rows in _split(batch, column, tuple(partitions)):
                        output.add(partition, rows)
            return output.finish(partitions)
        except BaseException:
            output.abandon()
            raise


def _split(
    batch: pa.RecordBatch, column: str, partitions: tuple[str, ...]
) -> Iterator[tuple[str, pa.Table]]:
    """The batch's rows by partition. Order within a partition is kept."""
    table = pa.Table.from_batches([batch])
    days = _days(batch, column)
    if days is None or not len(batch):
        yield partitions[0], table
        return
    asked = pa.array([date.fromisoformat(key) for key in partitions], pa.date32())
    # The position among the partitions asked for; 0, the first, for any other day and for null.
    slots = pc.fill_null(pc.index_in(days, value_set=asked), 0)
    present = pc.unique(slots).to_pylist()
    if len(present) == 1:
        yield partitions[present[0]], table
        return
    order = pc.sort_indices(slots, sort_keys=[("", "ascending")])  # stable in Arrow
    ordered = table.take(order)
    counts = {c["values"].as_py(): c["counts"].as_py() for c in pc.value_counts(slots)}
    start = 0
    for slot in sorted(present):
        yield partitions[slot], ordered.slice(start, counts[slot])
        start += counts[slot]


def _days(batch: pa.RecordBatch, column: str) -> pa.Array | None:
    """The day of each row (UTC for a column with a zone), or None when the column has no days."""
    if batch.schema.names.count(column) != 1:
        return None
    values = batch.column(column)
    if pa.types.is_timestamp(values.type):
        # A cast of a naive timestamp to a date floors to the day; a zoned one is stored as UTC.
        return pc.cast(pc.cast(values, pa.timestamp(values.type.unit)), pa.date32(), safe=False)
    return values if pa.types.is_date32(values.type) else None


@dataclass
class _Sink:
    """One Parquet file being written: one row group at a time, by whichever thread is free."""

    partition: str
    path: Path
    writer: pq.ParquetWriter
    rows: int = 0
    used: int = 0
    last: Future[None] | None = None


@dataclass
class _Buffer:
    tables: list[pa.Table] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0


class _Output:
    """All files of one batch: buffers rows into row groups and hands them to the writer threads."""

    def __init__(self, folder: Path, schema: pa.Schema, pool: ThreadPoolExecutor) -> None:
        self._folder = folder
        self._schema = schema
        self._pool = pool
        self._buffers: dict[str, _Buffer] = {}
        self._sinks: dict[str, list[_Sink]] = {}
        self._parts: dict[str, int] = {}
        self._done: list[StagedFile] = []
        self._pending = threading.Semaphore(PENDING_GROUPS)
        self._clock = 0

    def add(self, partition: str, rows: pa.Table) -> None:
        buffer = self._buffers.setdefault(partition, _Buffer())
        buffer.tables.append(rows)
        buffer.rows += rows.num_rows
        buffer.bytes += rows.nbytes
        if buffer.rows >= ROWS_PER_GROUP or buffer.bytes >= BYTES_PER_GROUP:
            self._flush(partition)
        elif sum(b.bytes for b in self._buffers.values()) >= BUFFERED_BYTES:
            for waiting in list(self._buffers):
                self._flush(waiting)

    def finish(self, partitions: Sequence[str]) -> tuple[StagedFile, ...]:
        for waiting in list(self._buffers):
            self._flush(waiting)
        for partition in partitions:
            if partition not in self._parts:
                self._open(partition, None)
        for sink in [sink for sinks in self._sinks.values() for sink in sinks]:
            self._close(sink)
        return tuple(sorted(self._done, key=lambda file: file.path))

    def abandon(self) -> None:
        """Close what is open after a failure; the files stay for `discard`."""
        for sink in [sink for sinks in self._sinks.values() for sink in sinks]:
            # The failure that brought us here is the one to report.
            with suppress(Exception):
                if sink.last is not None:
                    sink.last.result()
                sink.writer.close()

    def _flush(self, partition: str) -> None:
        buffer = self._buffers.pop(partition)
        if not buffer.rows:
            return
        rows = pa.concat_tables(buffer.tables)
        sink = self._sink(partition, rows)
        if sink.last is not None:
            sink.last.result()
        sink.rows += rows.num_rows
        self._pending.acquire()
        sink.last = self._pool.submit(self._write, sink.writer, rows)

    def _write(self, writer: pq.ParquetWriter, rows: pa.Table) -> None:
        try:
            write_group(writer, rows)
        finally:
            self._pending.release()

    def _sink(self, partition: str, rows: pa.Table) -> _Sink:
        """The partition's file to write to next; a second one once the first is large."""
        self._clock += 1
        sinks = self._sinks.get(partition, [])
        large = bool(sinks) and sum(s.rows for s in sinks) >= ROWS_PER_GROUP
        if not sinks or (large and len(sinks) < WRITER_THREADS):
            self._make_room()
            chosen = self._open(partition, rows)
        else:
            chosen = min(sinks, key=lambda sink: sink.used)
        chosen.used = self._clock
        return chosen

    def _make_room(self) -> None:
        open_sinks = [sink for sinks in self._sinks.values() for sink in sinks]
        if len(open_sinks) >= OPEN_FILES:
            self._close(min(open_sinks, key=lambda sink: sink.used))

    def _open(self, partition: str, first: pa.Table | None) -> _Sink:
        number = self._parts.get(partition, 0)
        self._parts[partition] = number + 1
        folder = self._folder
        if partition != UNPARTITIONED:
            folder = folder / f"partition={partition}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"part-{number:05d}.parquet"
        sink = _Sink(partition, path, parquet_writer(path, self._schema, first))
        self._sinks.setdefault(partition, []).append(sink)
        return sink

    def _close(self, sink: _Sink) -> None:
        if sink.last is not None:
            sink.last.result()
        sink.writer.close()
        self._sinks[sink.partition].remove(sink)
        self._done.append(StagedFile(sink.path, sink.partition, sink.rows))
