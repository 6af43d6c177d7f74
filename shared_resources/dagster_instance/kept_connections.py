"""Connections to Dagster's SQLite files that stay open from one event to the next.

Belongs here: which are kept, for how many files, and until when.
Does not belong here: what is stored over them, and what is stored together (`event_batches.py`).

Dagster makes an engine and a connection for each event and closes them after it: SQLAlchemy then
compiles each statement anew, and SQLite reads the schema and its log again. That was a sixth of the
processor time of a whole mesh. Its transactions stay what they are, one an event and file.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_resources.dagster_instance.new_files import copied, keep

if TYPE_CHECKING:
    import dagster as dg
    from sqlalchemy import Connection, Engine

MOST_FILES = 8  # each run has one; who reads through a year of runs keeps the latest open


@contextmanager
def keep_connections(instance: dg.DagsterInstance) -> Iterator[None]:
    """Have the instance keep its connections to files of SQLite for as long as the block lasts."""
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
    from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage

    engines = _Engines()
    events, runs = instance.event_log_storage, instance.run_storage
    # mypy is right that a method is replaced: Dagster has no other way in.
    if type(events) is SqliteEventLogStorage:
        events._connect = _of_events(events, engines)  # type: ignore[method-assign]
        events.has_table = _tables_of(events, engines)  # type: ignore[method-assign]
    if type(runs) is SqliteRunStorage:
        runs.connect = _of_runs(runs, engines)  # type: ignore[method-assign]
    try:
        yield
    finally:
        engines.dispose()


def _of_events(storage: Any, engines: _Engines) -> Any:
    @contextmanager
    def connect(shard: str) -> Iterator[Connection]:
        with storage._db_lock:
            address = storage.conn_string_for_shard(shard)
            if shard not in storage._initialized_dbs:
                engines.forget(address)  # the file may be another than before
                _prepare(storage, shard, engines.of(address))
                storage._initialized_dbs.add(shard)
            with engines.of(address).begin() as connection:
                yield connection

    return connect


def _prepare(storage: Any, shard: str, engine: Engine) -> None:
    """Make the file's tables, unless it has them."""
    file = Path(storage.path_for_shard(shard))
    if copied(storage, file):
        return
    new = not file.exists()
    storage._initdb(engine)
    if new:
        keep(storage, file)


def _tables_of(storage: Any, engines: _Engines) -> Any:
    """Whether the file of all runs has a table, which Dagster asks before it stores a check."""

    def has_table(name: str) -> bool:
        from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME

        engine = engines.of(storage.conn_string_for_shard(INDEX_SHARD_NAME))
        with engine.connect() as connection:
            return bool(engine.dialect.has_table(connection, name))

    return has_table


def _of_runs(storage: Any, engines: _Engines) -> Any:
    @contextmanager
    def connect() -> Iterator[Connection]:
        with engines.of(storage._conn_string).begin() as connection:
            yield connection

    return connect


class _Engines:
    """An engine a file, those used last."""

    def __init__(self) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, address: str) -> Engine:
        from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
        from sqlalchemy import QueuePool, create_engine

        with self._lock:
            if address not in self._engines:
                self._engines[address] = create_engine(
                    address,
                    poolclass=QueuePool,
                    pool_size=1,
                    max_overflow=-1,  # of threads that meet, those that come second open their own
                    connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
                )
            self._engines.move_to_end(address)
            while len(self._engines) > MOST_FILES:
                self._engines.popitem(last=False)[1].dispose()
            return self._engines[address]

    def forget(self, address: str) -> None:
        with self._lock:
            if engine := self._engines.pop(address, None):
                engine.dispose()

    def dispose(self) -> None:
        with self._lock:
            while self._engines:
                self._engines.popitem()[1].dispose()
