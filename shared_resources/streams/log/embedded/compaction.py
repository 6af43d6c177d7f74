"""Compaction: of each key of a compacted topic, the last message stays.

Belongs here: rewriting a partition's rows without what a later message replaces.
Does not belong here: when that is done (`log.py`, at a moment of maintenance).

A tombstone is kept like a value, so that a reader who comes late learns of the deletion, too. Messages
without a key are all kept: Kafka refuses them in such a topic.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from shared_resources.streams.log.embedded.chunks import KEPT, encoded, read_from
from shared_resources.streams.log.embedded.file import writing

if TYPE_CHECKING:
    import pyarrow as pa


def compact(connection: sqlite3.Connection, topic: int) -> None:
    """A transaction a partition; offsets stay what they are."""
    partitions = connection.execute(
        "SELECT partition, begins, ends FROM partitions WHERE topic = ?", (topic,)
    ).fetchall()
    for partition, begins, ends in partitions:
        with writing(connection):
            last: dict[bytes | None, int] = {}
            batches = read_from(connection, topic, partition, begins, ends)
            for batch in batches:
                keys = batch.column("key").to_pylist()
                last.update(zip(keys, batch.column("offset").to_pylist(), strict=True))
            for batch in batches:
                _rewrite(connection, topic, partition, batch, last)


def _rewrite(
    connection: sqlite3.Connection,
    topic: int,
    partition: int,
    batch: pa.RecordBatch,
    last: dict[bytes | None, int],
) -> None:
    import numpy as np

    keys, offsets = batch.column("key").to_pylist(), batch.column("offset").to_numpy()
    stay = np.array(
        [k is None or last[k] == offset for k, offset in zip(keys, offsets, strict=True)]
    )
    if stay.all():
        return
    # A row keeps its place by its first `last`, whether that message stays or not: after that went, the
    # row is the next one that ends at or behind what it still has.
    found = connection.execute(
        "SELECT min(last) FROM chunks WHERE topic = ? AND partition = ? AND last >= ?",
        (topic, partition, int(offsets[-1])),
    ).fetchone()
    at = (topic, partition, found[0])
    where = "WHERE topic = ? AND partition = ? AND last = ?"
    if not stay.any():
        connection.execute(f"DELETE FROM chunks {where}", at)
        return
    kept = batch.select(KEPT).filter(stay)
    row = (offsets[stay].tobytes(), bytes(encoded(kept)), *at)
    connection.execute(f"UPDATE chunks SET offsets = ?, messages = ? {where}", row)
