"""Kafka's messages as an Arrow table, and a table as Kafka's messages: a column at a time.

Belongs here: the two conversions, with as few objects of Python's as the client allows.
Does not belong here: asking for messages, sending them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from confluent_kafka import Message

from shared_resources.streams.log.port import message_schema

if TYPE_CHECKING:
    import pyarrow as pa

_milliseconds = itemgetter(1)
Row = tuple[bytes | None, bytes | None, int, int, list[tuple[str, bytes | None]] | None]


def table_of(messages: Sequence[Message]) -> pa.Table:
    """`message_schema()`, in the order given."""
    import numpy as np
    import pyarrow as pa

    schema, count = message_schema(), len(messages)
    times = np.fromiter(map(_milliseconds, map(Message.timestamp, messages)), np.int64, count)
    headers: list[Any] = list(map(Message.headers, messages))
    named = schema.field("headers").type
    columns = [
        pa.array(np.fromiter(map(Message.partition, messages), np.int32, count)),
        pa.array(np.fromiter(map(Message.offset, messages), np.int64, count)),
        pa.array(times).cast(schema.field("timestamp").type),
        pa.array(list(map(Message.key, messages)), pa.binary()),
        pa.array(list(map(Message.value, messages)), pa.binary()),
        pa.array(headers, named) if any(headers) else pa.nulls(count, named),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def rows_of(messages: pa.Table) -> Iterator[Row]:
    """Value, key, partition, milliseconds and headers of each."""
    import pyarrow as pa

    value, key = (messages.column(name).to_numpy().tolist() for name in ("value", "key"))
    partition = messages.column("partition").to_numpy().tolist()
    at = messages.column("timestamp").cast(pa.int64()).to_numpy().tolist()
    column = messages.column("headers")
    headers: list[Any] = [None] * messages.num_rows
    if column.null_count < messages.num_rows:
        headers = [
            named and [(one["name"], one["value"]) for one in named] for named in column.to_pylist()
        ]
    return zip(value, key, partition, at, headers, strict=True)
