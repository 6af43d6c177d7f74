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
import itertools
import json
import os
import random
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.dialects import sqlite

from shared_resources.confinement.guard import refuse
from shared_resources.problems import MeshProblem
from shared_resources.state.per_process import OncePerProcess
from shared_resources.state.read_only import copy_of, may_write
from shared_resources.state.sqlite_file import BUSY_SECONDS, make_database

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

TABLES = sa.MetaData()
CONNECT_SECONDS = 10
# A large batch may hold its product's lock for long. Who waits longer than this takes a run's slot
# for nothing and in silence: a person must see who holds it.
LOCK_SECONDS = 3_600.0
LONGEST_PAUSE_SECONDS = 1.0
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
# A machine that lost its power or its network ends no connection: its locks would stay until the
# kernel's own keepalives give up, after two hours. Probes also keep a NAT from forgetting a holder
# that is silent for long. Both ends notice within about a minute.
_CLIENT_KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_SERVER_KEEPALIVES = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "60000",
}


class Words(sa.TypeDecorator[str]):
    """A column of other people's text: what no database keeps of it is written out, as `\\x00`."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return value and _NO_TEXT.sub(lambda found: ascii(found[0])[1:-1], value)


class StateUnreachable(MeshProblem):
    """The state database does not answer; the message names it, without the password. It may pass."""


class LockKept(StateUnreachable):
    """Another process has kept a named lock for too long; the message says how to find it."""


class StateDatabase:
    """`url` is SQLAlchemy's. Opened lazily, once a process: a connection must not cross a fork.

    `locks` is a local folder: for the making of tables, and for named locks on SQLite.
    """

    def __init__(self, url: str, locks: Path) -> None:
        refuse("opens the platform's state")
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
    def lock(self, name: str, patience: float | None = None) -> Iterator[None]:
        """Hold the named lock, which its holder's death frees: on every machine with Postgres.

        Raises `LockKept` if another keeps it for `patience` seconds, `LOCK_SECONDS` where none is given.

        It serialises those who work in good order. What must hold even if the connection that
        holds it is cut needs a check of its own where it commits. Not for a holder to take twice.
        """
        if self.engine.dialect.name == "postgresql":
            with _advisory_lock(self.engine, name, patience):
                yield
            return
        # No name ends as another begins: "/" cannot stand in a file's name, "%" is written "%25".
        file = self._locks / (name.replace("%", "%25").replace("/", "%2F") + ".lock")
        file.parent.mkdir(parents=True, exist_ok=True)
        with _file_lock(file, name, patience):
            yield

    def is_held(self, name: str) -> bool:
        """Whether somebody, on any machine, holds the named lock now. For Postgres only."""
        with self.engine.connect() as connection:
            return connection.execute(_HOLDER, {"number": _number(name)}).first() is not None

    def _open(self) -> sa.Engine:
        url = sa.make_url(self._url)
        if url.drivername == "postgresql":
            # The driver that the production extra installs, whichever SQLAlchemy would take.
            url = url.set(drivername="postgresql+psycopg2")
        if url.get_backend_name() != "sqlite":
            self._locks.mkdir(parents=True, exist_ok=True)
            options = {
                "connect_timeout": CONNECT_SECONDS,
                # By this the message of `LockKept` tells whose a lock is.
                "fallback_application_name": f"mesh process {os.getpid()} on {socket.gethostname()}",
                **_CLIENT_KEEPALIVES,
            }
            # Statements are shown without their values: an error's text goes into Dagster's log.
            engine = sa.create_engine(
                url,
                pool_pre_ping=True,
                hide_parameters=True,
                # What the URL says goes first.
                connect_args={k: v for k, v in options.items() if k not in url.query},
            )
            sa.event.listen(engine, "connect", _keep_server_alive)
            return engine
        assert url.database is not None
        if not may_write(Path(url.database).parent):
            copy = copy_of(Path(url.database))
            self._locks = copy.parent
            url = url.set(database=str(copy))
        self._locks.mkdir(parents=True, exist_ok=True)
        Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
        with _file_lock(self._locks / ".state.lock", "tables"):
            make_database(Path(url.database or ""), BUSY_SECONDS)
        engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS})
        sa.event.listen(engine, "connect", _settle_sqlite)
        sa.event.listen(engine, "begin", _begin_writing)
        return engine

    def _make_tables(self, engine: sa.Engine) -> None:
        # Two processes that both find no tables would both create them, and one would fail.
        try:
            with contextlib.ExitStack() as stack:
                stack.enter_context(_file_lock(self._locks / ".state.lock", "tables"))
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
        # libpq takes passwords there, too, under several names.
        query = "?…" if url.query else ""
        return url.set(query={}).render_as_string(hide_password=True) + query


def insert(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can be told what to do where the key is taken, in the database's own words."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # brings asyncio with it

        return postgresql.insert(table)
    return sqlite.insert(table)


@contextlib.contextmanager
def _file_lock(file: Path, name: str, patience: float | None = None) -> Iterator[None]:
    seconds = LOCK_SECONDS if patience is None else patience
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(FileLock(file, timeout=seconds))
        except Timeout:
            raise _kept(
                name, seconds, f"a process on this machine holds {file} (`fuser {file}` names it)"
            ) from None
        yield


@contextlib.contextmanager
def _advisory_lock(engine: sa.Engine, name: str, patience: float | None = None) -> Iterator[None]:
    """A lock of the session, outside of any transaction: a holder may take minutes."""
    number = _number(name)
    with engine.connect() as opened:
        connection = opened.execution_options(isolation_level="AUTOCOMMIT")
        _take_advisory_lock(connection, number, name, patience)
        try:
            yield
        finally:
            try:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(number)))
            except sa.exc.DBAPIError:
                # The session is lost, and its locks with it. What the block did is not less done.
                connection.invalidate()


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"mesh/{name}".encode()).digest()[:8], signed=True)


def _take_advisory_lock(
    connection: sa.Connection, number: int, name: str, patience: float | None
) -> None:
    # Who waits within Postgres does not hear Ctrl-C, and holds its vacuum back.
    seconds = LOCK_SECONDS if patience is None else patience
    end = time.monotonic() + seconds
    for turn in itertools.count():
        if connection.scalar(sa.select(sa.func.pg_try_advisory_lock(number))):
            return
        if time.monotonic() > end:
            holder = connection.execute(_HOLDER, {"number": number}).first()
            if holder is None:
                raise _kept(name, seconds, "it has changed hands since")
            pid, application, address = holder
            raise _kept(
                name,
                seconds,
                f"{application or 'a process'} holds it from {address or 'a local socket'}; where "
                f"that is gone, SELECT pg_terminate_backend({pid}) frees it",
            )
        time.sleep(random.uniform(0, min(LONGEST_PAUSE_SECONDS, 0.01 * 2 ** min(turn, 9))))


# The number's halves are two columns; without a role's right to see it, the session is NULL.
_HOLDER = sa.text("""
    SELECT held.pid, session.application_name, host(session.client_addr)
    FROM pg_locks AS held LEFT JOIN pg_stat_activity AS session USING (pid)
    WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
      AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (held.classid::bigint << 32) | held.objid::bigint = :number
""")


def _kept(name: str, seconds: float, who: str) -> LockKept:
    return LockKept(
        f"the lock {name!r} was not free within {seconds / 60:.0f} minutes: {who}. See whether "
        "that process still works or hangs, and try again"
    )


def _keep_server_alive(connection: Any, record: object) -> None:
    # Not among the options of the connection's start: PgBouncer refuses what it does not know there.
    # Those that the URL brings are the client's, and stay.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config(name, ours.value, false) FROM pg_settings "
            "JOIN jsonb_each_text(%s) AS ours (name, value) USING (name) WHERE source <> 'client'",
            [json.dumps(_SERVER_KEEPALIVES)],
        )
    connection.commit()  # what a transaction sets is gone when it is rolled back


def _settle_sqlite(connection: Any, record: object) -> None:
    # The driver would begin a transaction at the first write only, after what it was based on was
    # read; `_begin_writing` begins it.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_writing(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
