"""The mesh's own small state in SQL: what a run pinned, which landing objects were seen.

Belongs here: opening the database and making its tables, one process at a time.
Does not belong here: the tables' meaning (each belongs to the module that declares it on `TABLES`),
and whatever can be derived from published versions: that is never stored a second time.

SQLite below `MESH_HOME` when everything is embedded; in production the Postgres database that
Dagster uses, in tables of our own (`mesh_...`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock

TABLES = sa.MetaData()
BUSY_SECONDS = 60


class StateDatabase:
    """`url` is SQLAlchemy's. Opened lazily, once a process: a connection must not cross a fork.

    `locks` is a local folder: for the making of tables, and for product locks on SQLite.
    """

    def __init__(self, url: str, locks: Path) -> None:
        self._url = url
        self._locks = locks
        self._opened: dict[int, sa.Engine] = {}

    def __getstate__(self) -> dict[str, object]:
        return {"_url": self._url, "_locks": self._locks, "_opened": {}}

    def __repr__(self) -> str:
        return f"StateDatabase({sa.make_url(self._url).render_as_string(hide_password=True)!r})"

    @property
    def engine(self) -> sa.Engine:
        engine = self._opened.get(os.getpid())
        if engine is None:
            engine = self._opened[os.getpid()] = self._open()
        return engine

    @contextlib.contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction, committed when the block ends without an exception."""
        with self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the named lock, which its holder's death frees: on every machine with Postgres."""
        if self.engine.dialect.name == "postgresql":
            number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
            with self.engine.connect() as connection:
                connection.execute(sa.select(sa.func.pg_advisory_lock(number)))
                try:
                    yield
                finally:
                    connection.execute(sa.select(sa.func.pg_advisory_unlock(number)))
            return
        file = self._locks / f"{name.replace('/', '.')}.lock"
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file):
            yield

    def _open(self) -> sa.Engine:
        url = sa.make_url(self._url)
        self._locks.mkdir(parents=True, exist_ok=True)
        if url.get_backend_name() != "sqlite":
            engine = sa.create_engine(url, pool_pre_ping=True)
        else:
            assert url.database is not None
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
            engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS})
            sa.event.listen(engine, "connect", _settle_sqlite)
        # Two processes that both find no tables would both create them, and one would fail.
        with FileLock(self._locks / ".state.lock"):
            TABLES.create_all(engine)
        return engine


def _settle_sqlite(connection: object, record: object) -> None:
    execute = connection.execute  # type: ignore[attr-defined]
    execute("PRAGMA journal_mode = WAL")
    execute("PRAGMA synchronous = NORMAL")
