"""The mesh's own small state in SQL: what a run pinned, which landing objects were seen.

Belongs here: opening the database, making its tables, named locks, the one statement whose form differs.
Does not belong here: the tables' meaning (each belongs to the module that declares it on `TABLES`),
and whatever can be derived from published versions: that is never stored a second time.

SQLite below `MESH_HOME` when everything is embedded; in production the Postgres database that
Dagster uses, in tables of our own (`mesh_...`).
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy.dialects import postgresql, sqlite

from shared_resources.per_process import OncePerProcess

TABLES = sa.MetaData()
BUSY_SECONDS = 60
CONNECT_SECONDS = 10


class StateUnreachable(Exception):
    """The state database does not answer; the message names it, without the password."""


class StateDatabase:
    """`url` is SQLAlchemy's. Opened lazily, once a process: a connection must not cross a fork.

    `locks` is a local folder: for the making of tables, and for named locks on SQLite.
    """

    def __init__(self, url: str, locks: Path) -> None:
        self._url = url
        self._locks = locks
        self._opened = OncePerProcess(self._open)
        self._made: frozenset[str] = frozenset()  # the tables that are known to be there

    def __repr__(self) -> str:
        return f"StateDatabase({self._shown()!r})"

    @property
    def engine(self) -> sa.Engine:
        """The engine, with every table that is declared on `TABLES` by now."""
        engine = self._opened()
        declared = frozenset(TABLES.tables)
        if self._made != declared:
            self._make_tables(engine)
            self._made = declared
        return engine

    @contextlib.contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction, committed when the block ends without an exception.

        On SQLite one follows the other. On Postgres they run together, each statement seeing what
        is committed: decide by a key and `insert`, or hold `lock`.
        """
        with self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the named lock, which its holder's death frees: on every machine with Postgres.

        It serialises those who work in good order. What must hold even if the connection that
        holds it is cut needs a check of its own where it commits. Not for a holder to take twice.
        """
        if self.engine.dialect.name == "postgresql":
            with _advisory_lock(self.engine, name):
                yield
            return
        # No name ends as another begins: "/" cannot stand in a file's name, "%" is written "%25".
        file = self._locks / (name.replace("%", "%25").replace("/", "%2F") + ".lock")
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file):
            yield

    def _open(self) -> sa.Engine:
        url = sa.make_url(self._url)
        if url.drivername == "postgresql":
            # The driver that the production extra installs, whichever SQLAlchemy would take.
            url = url.set(drivername="postgresql+psycopg2")
        self._locks.mkdir(parents=True, exist_ok=True)
        if url.get_backend_name() != "sqlite":
            # Statements are shown without their values: an error's text goes into Dagster's log.
            return sa.create_engine(
                url,
                pool_pre_ping=True,
                hide_parameters=True,
                connect_args={"connect_timeout": CONNECT_SECONDS},
            )
        assert url.database is not None
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS})
        sa.event.listen(engine, "connect", _settle_sqlite)
        sa.event.listen(engine, "begin", _begin_writing)
        return engine

    def _make_tables(self, engine: sa.Engine) -> None:
        # Two processes that both find no tables would both create them, and one would fail.
        try:
            with FileLock(self._locks / ".state.lock"), contextlib.ExitStack() as stack:
                if engine.dialect.name == "postgresql":
                    stack.enter_context(_advisory_lock(engine, "tables"))
                TABLES.create_all(engine)
        except sa.exc.OperationalError as problem:
            raise StateUnreachable(
                f"the mesh's state database {self._shown()} does not answer: "
                f"{str(problem.orig).strip()}; see that it runs and that MESH_DATABASE_URL is right"
            ) from problem

    def _shown(self) -> str:
        url = sa.make_url(self._url)
        if "password" in url.query:  # where libpq takes one, too
            url = url.update_query_dict({"password": "***"})
        return url.render_as_string(hide_password=True)


def insert(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can be told what to do where the key is taken, in the database's own words."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


@contextlib.contextmanager
def _advisory_lock(engine: sa.Engine, name: str) -> Iterator[None]:
    """A lock of the session, outside of any transaction: a holder may take minutes."""
    number = int.from_bytes(hashlib.sha256(f"mesh/{name}".encode()).digest()[:8], signed=True)
    with engine.connect() as opened:
        connection = opened.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(sa.select(sa.func.pg_advisory_lock(number)))
        try:
            yield
        finally:
            try:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(number)))
            except sa.exc.DBAPIError:
                # The session is lost, and its locks with it. What the block did is not less done.
                connection.invalidate()


def _settle_sqlite(connection: Any, record: object) -> None:
    # The driver would begin a transaction at the first write only, after what it was based on was
    # read; `_begin_writing` begins it.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_writing(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
