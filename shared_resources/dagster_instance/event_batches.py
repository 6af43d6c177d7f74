"""Events that Dagster has together are stored together, where it keeps them in SQLite.

Belongs here: asking Dagster to hand them over together, and storing them in one transaction a file.
Does not belong here: opening the instance (`instance.py`).

A run over a year of days tells Dagster 365 materializations. Dagster stores each over connections and
in transactions of its own, in the file of the run and in that of all runs: a quarter of the run's time.
It can hand its storage all of them at once, and its storage for SQLite then stores one after the
other all the same.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import dagster as dg
    from dagster import EventLogEntry
    from sqlalchemy import Connection

SIZE = "DAGSTER_EVENT_BATCH_SIZE"  # Dagster's own variable; without it each event comes alone
LARGEST = 1_000


def store_batches_at_once(instance: dg.DagsterInstance) -> None:
    """Have the instance store what comes together in one transaction; all of it, or, if that fails,
    each event by itself, as Dagster does."""
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

    storage = instance.event_log_storage
    if type(storage) is SqliteEventLogStorage:
        os.environ.setdefault(SIZE, str(LARGEST))
        _AtOnce(storage)


class _AtOnce:
    """Takes the place of the storage's way to connect, and of its way to store a batch."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._connect = storage._connect
        self._held: dict[str, Connection] = {}
        self._holder: int | None = None
        storage._connect = self.connect
        storage.store_event_batch = self.store

    @contextmanager
    def connect(self, shard: str) -> Iterator[Connection]:
        """The connection that holds the batch's transaction; outside of one, Dagster's own."""
        if self._holder == threading.get_ident() and shard in self._held:
            yield self._held[shard]
            return
        with self._connect(shard) as connection:
            yield connection

    def store(self, events: Sequence[EventLogEntry]) -> None:
        from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME

        storage = self._storage
        files = [*dict.fromkeys(event.run_id for event in events), INDEX_SHARD_NAME]
        for shard in files:
            with self._connect(shard):
                pass  # makes its tables
        with storage._db_lock, ExitStack() as stack:
            for shard in files:
                self._held[shard] = stack.enter_context(_transaction(storage, shard))
            stack.callback(self._release)
            self._holder = threading.get_ident()
            for _, alike in groupby(events, _materialized):
                self._store_alike(list(alike))

    def _store_alike(self, events: Sequence[EventLogEntry]) -> None:
        """Materializations of one asset as rows of one statement; others one after the other."""
        if _materialized(events[0]) is None or len(events) == 1:
            for event in events:
                self._storage.store_event(event)
            return
        from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events
        from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME

        storage, index = self._storage, self._held[INDEX_SHARD_NAME]
        rows = [storage._event_to_row(event) for event in events]
        self._held[events[0].run_id].execute(Events.insert(), rows)
        numbered = Events.insert().returning(Events.c.id, sort_by_parameter_order=True)
        numbers = [int(row[0]) for row in index.execute(numbered, rows)]
        storage._store_asset_event_tags(index, events, numbers)
        # Of an asset the last one is kept: each would replace the one before it.
        storage._store_asset_event(index, events[-1], numbers[-1])

    def _release(self) -> None:
        self._holder = None
        self._held.clear()


def _materialized(event: EventLogEntry) -> tuple[str, str] | None:
    """The run and the asset of which the event tells that it was materialized; None for others."""
    told = event.dagster_event
    if told is None or not told.is_step_materialization or told.asset_key is None:
        return None
    return event.run_id, told.asset_key.to_string()


@contextmanager
def _transaction(storage: Any, shard: str) -> Iterator[Connection]:
    import sqlalchemy as sa
    from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS

    engine = sa.create_engine(
        storage.conn_string_for_shard(shard),
        poolclass=sa.NullPool,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
    )
    with engine.begin() as connection:
        yield connection
