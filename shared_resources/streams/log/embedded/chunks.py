"""Messages as rows of the log's file: many to a row, in Arrow's own form.

Belongs here: writing a partition's next messages, reading from an offset on.
Does not belong here: transactions, who may read, how long messages are kept.

A row has the messages from `first` to `last`; `offsets` says which of these there are where compaction
has left holes, and is null where it has not.
"""

from __future__ import annotations

import sqlite3
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from shared_resources.streams.log.partitioning import partitions_of
from shared_resources.streams.log.port import LogProblem, message_schema

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

KEPT = ("timestamp", "key", "value", "headers")
# A reader decodes a row at once: small enough for little memory, large enough to cost nothing each.
MOST_MESSAGES, MOST_BYTES = 8_192, 4 << 20


def conformed(messages: pa.Table) -> pa.Table:
    """The messages in `message_schema()`. Raises `LogProblem` when they are not of it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    schema = message_schema()
    try:
        if messages.schema.names != schema.names:
            messages = messages.select(schema.names)
        if not messages.schema.equals(schema):
            messages = messages.cast(schema)
        headers = messages.column("headers")
        if headers.null_count < messages.num_rows:  # an empty list is none, as in Kafka
            some = pc.greater(pc.list_value_length(headers), 0)
            named = pc.if_else(some, headers, pa.scalar(None, headers.type))
            messages = messages.set_column(5, schema.field("headers"), named)
        return messages
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, KeyError, ValueError) as problem:
        raise LogProblem(f"What is sent is no table of messages: {problem}.") from problem


def spread(messages: pa.Table, partitions: int, turn: int) -> dict[int, pa.Table]:
    """The messages by partition, each in the order given. Where `partition` is -1 the key decides, and
    who has none goes where it is the `turn` of.

    Raises `LogProblem` for a partition that there is not.
    """
    import numpy as np
    import pyarrow.compute as pc

    chosen = messages.column("partition").to_numpy().copy()
    if len(chosen) and not ((chosen >= -1) & (chosen < partitions)).all():
        raise LogProblem(f"There is no partition {chosen.max()}: the topic has {partitions}.")
    open_ = chosen == -1
    if open_.any():
        keys = messages.column("key").combine_chunks()
        keyless = pc.is_null(keys).to_numpy(zero_copy_only=False) & open_
        keyed = np.flatnonzero(open_ & ~keyless)
        if len(keyed):
            chosen[keyed] = partitions_of(_contiguous(keys.take(keyed)), partitions)
        without = np.flatnonzero(keyless)
        chosen[without] = (turn + np.arange(len(without)) // 1024) % partitions
    found = np.unique(chosen)
    if not len(found):
        return {}
    if len(found) == 1:
        return {int(found[0]): messages}
    order = np.argsort(chosen, kind="stable")
    cuts = np.searchsorted(chosen[order], found)
    return {
        int(number): messages.take(rows)
        for number, rows in zip(found, np.split(order, cuts[1:]), strict=True)
    }


def _contiguous(column: Any) -> Any:
    import pyarrow as pa

    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def append(connection: sqlite3.Connection, topic: int, partition: int, messages: pa.Table) -> None:
    """Give the messages the partition's next offsets. The caller is in a transaction that writes."""
    found = connection.execute(
        "SELECT ends FROM partitions WHERE topic = ? AND partition = ?", (topic, partition)
    ).fetchone()
    first = ends = int(found[0])
    now = time.time()
    for batch in _batches(messages.select(KEPT)):
        last = ends + batch.num_rows - 1
        row = (topic, partition, ends, last, now, None, encoded(batch))
        connection.execute("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        ends = last + 1
    if ends > first:
        moved = (ends, topic, partition)
        connection.execute(
            "UPDATE partitions SET ends = ? WHERE topic = ? AND partition = ?", moved
        )


def encoded(batch: pa.RecordBatch) -> memoryview:
    return memoryview(batch.serialize())


def _batches(messages: pa.Table) -> list[pa.RecordBatch]:
    if not messages.num_rows:
        return []
    most = max(1, min(MOST_MESSAGES, MOST_BYTES * messages.num_rows // max(1, messages.nbytes)))
    pieces = messages.combine_chunks().to_batches(max_chunksize=most)
    return [piece for piece in pieces if piece.num_rows]


def read_from(
    connection: sqlite3.Connection, topic: int, partition: int, position: int, most: int
) -> list[pa.RecordBatch]:
    """Batches of `message_schema()` from `position` on, `most` messages or a row more."""
    found: list[pa.RecordBatch] = []
    rows = connection.execute(
        "SELECT first, last, offsets, messages FROM chunks "
        "WHERE topic = ? AND partition = ? AND last >= ? ORDER BY last",
        (topic, partition, position),
    )
    for first, last, offsets, blob in rows:
        batch = _decoded(partition, first, last, offsets, blob)
        skipped = int(_offsets(batch).searchsorted(position)) if first < position else 0
        batch = batch.slice(skipped)
        if not batch.num_rows:
            continue
        found.append(batch)
        most -= batch.num_rows
        if most <= 0:
            break
    return found


def _offsets(batch: pa.RecordBatch) -> np.ndarray[Any, np.dtype[np.int64]]:
    array: np.ndarray[Any, np.dtype[np.int64]] = batch.column(1).to_numpy()
    return array


def _decoded(
    partition: int, first: int, last: int, offsets: bytes | None, blob: bytes
) -> pa.RecordBatch:
    import numpy as np
    import pyarrow as pa

    kept = pa.ipc.read_record_batch(pa.py_buffer(blob), _stored_schema())
    numbers = np.arange(first, last + 1) if offsets is None else np.frombuffer(offsets, np.int64)
    own = np.full(kept.num_rows, partition, np.int32)
    return pa.RecordBatch.from_arrays(
        [pa.array(own), pa.array(numbers), *kept.columns], schema=message_schema()
    )


@cache
def _stored_schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema([message_schema().field(name) for name in KEPT])
