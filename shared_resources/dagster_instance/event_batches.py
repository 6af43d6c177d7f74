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
            for event in events:
                storage.store_event(event)

    def _release(self) -> None:
        self._holder = None
        self._held.clear()


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
