"""The tills, live: the year's receipts sent to a topic in the order in which they were printed.

Belongs here: which lines, in which order, as which messages, and how fast.
Does not belong here: the command line (`__main__.py`), the log (`shared_resources/streams/log/`), what
the tills send by the day (`systems.py`).

A message is a line of a receipt, as JSON, and its key is the household. The moment of the purchase is in
the message; the log's own timestamp is that of the replay, as retention would delete what is years old.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pyarrow as pa

from domains.source_systems.source import table_path
from shared_resources.streams.log.port import Log, message_schema

COLUMNS = (
    "household_id",
    "store_id",
    "basket_id",
    "product_id",
    "quantity",
    "sales_value",
    "transaction_timestamp",
)
AT_ONCE = 20_000
TICK = 0.005  # seconds between what is sent at a limited speed: no message is later than that


@dataclass(frozen=True)
class Lines:
    """Which lines are sent: those of `days` days from `first` on, in order of time; of these at most
    `most`, without the first `after`."""

    first: date | None = None
    days: int | None = None
    most: int | None = None
    household: int | None = None
    after: int = 0

    def read(self) -> pl.DataFrame:
        """Raises `SourceMissing`."""
        lines = pl.scan_parquet(table_path("transactions")).select(COLUMNS)
        moment = pl.col("transaction_timestamp")
        lines = lines.with_columns(moment.cast(pl.Datetime("us")))
        first = self.first or date(2017, 1, 1)
        begins = datetime.combine(first, datetime.min.time())
        lines = lines.filter(moment >= begins)
        if self.days is not None:
            lines = lines.filter(moment < begins + timedelta(days=self.days))
        if self.household is not None:
            lines = lines.filter(pl.col("household_id") == self.household)
        lines = lines.sort("transaction_timestamp", "basket_id", "product_id")
        return lines.slice(self.after, self.most).collect()


@dataclass(frozen=True)
class Pace:
    """`speed`: how many times as fast as it was; `rate`: so many messages a second; neither: at once."""

    speed: float | None = None
    rate: float | None = None

    def due(self, lines: pl.DataFrame) -> Callable[[float], int]:
        """How many of the lines are to be sent so many seconds after the first."""
        if self.rate is not None:
            rate = self.rate
            return lambda seconds: min(lines.height, int(seconds * rate) + 1)
        if self.speed is not None:
            speed = self.speed
            printed = lines["transaction_timestamp"].dt.epoch("us").to_numpy()
            since = (printed - printed[:1].sum()) / 1e6
            return lambda seconds: int(np.searchsorted(since, seconds * speed, side="right"))
        return lambda seconds: lines.height


def replay(log: Log, topic: str, lines: pl.DataFrame, pace: Pace) -> Iterator[int]:
    """Send the lines; yields how many were sent, now and then. Raises `LogProblem`."""
    due, sent = pace.due(lines), 0
    writer = log.writer()
    try:
        began = time.monotonic()
        for first in range(0, lines.height, AT_ONCE):
            written = messages(lines.slice(first, AT_ONCE))
            end = first + written.num_rows
            while sent < end:
                until = min(due(time.monotonic() - began), end)
                if until > sent:
                    writer.send(topic, _of_now(written.slice(sent - first, until - sent)))
                    sent = until
                    yield sent
                if pace != Pace():
                    writer.flush()
                    time.sleep(TICK)
        writer.flush()
    finally:
        writer.close()


def messages(lines: pl.DataFrame) -> pa.Table:
    """The lines as messages of `message_schema()`."""
    moment = pl.col("transaction_timestamp").dt.strftime("%Y-%m-%dT%H:%M:%S")
    written = lines.select(
        pl.col("household_id").cast(pl.String).cast(pl.Binary).alias("key"),
        pl.struct(*COLUMNS[:-1], moment).struct.json_encode().cast(pl.Binary).alias("value"),
    ).to_arrow()
    count, schema = lines.height, message_schema()
    columns = {
        "partition": pa.array([-1] * count, pa.int32()),  # the key decides
        "offset": pa.array([-1] * count, pa.int64()),  # the log gives it
        "timestamp": pa.array([0] * count, schema.field("timestamp").type),
        "key": written["key"].cast(pa.binary()),
        "value": written["value"].cast(pa.binary()),
        "headers": pa.nulls(count, schema.field("headers").type),
    }
    return _of_now(pa.table(columns, schema=schema))


def _of_now(written: pa.Table) -> pa.Table:
    field = message_schema().field("timestamp")
    now = pa.scalar(time.time_ns() // 1_000_000, field.type)
    return written.set_column(2, field, pa.repeat(now, written.num_rows))
