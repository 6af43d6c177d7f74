"""The log's file: its tables, connections to it, transactions, and what is said when SQLite refuses.

Belongs here: opening it. Does not belong here: what is written into it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock

from shared_resources.confinement.guard import refuse
from shared_resources.state.sqlite_file import BUSY_SECONDS, make_database
from shared_resources.streams.log.port import LogProblem

_VERSION = 1
_TABLES = """
CREATE TABLE topics (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  id TEXT NOT NULL,
  partitions INTEGER NOT NULL,
  keep_seconds INTEGER,
  compacted INTEGER NOT NULL
);
CREATE TABLE partitions (
  topic INTEGER NOT NULL, partition INTEGER NOT NULL,
  begins INTEGER NOT NULL, ends INTEGER NOT NULL,
  PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
CREATE TABLE chunks (
  topic INTEGER NOT NULL, partition INTEGER NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL, written_at REAL NOT NULL,
  offsets BLOB,
  messages BLOB NOT NULL
);
CREATE UNIQUE INDEX chunks_by_last ON chunks (topic, partition, last);
CREATE TABLE writers (name TEXT PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE positions (
  topic INTEGER NOT NULL, "group" TEXT NOT NULL, kind TEXT NOT NULL,
  partition INTEGER NOT NULL, position INTEGER NOT NULL,
  PRIMARY KEY (topic, "group", kind, partition)
) WITHOUT ROWID;
CREATE TABLE groups (
  topic INTEGER NOT NULL, "group" TEXT NOT NULL, generation INTEGER NOT NULL,
  PRIMARY KEY (topic, "group")
) WITHOUT ROWID;
CREATE TABLE members (
  member INTEGER PRIMARY KEY AUTOINCREMENT,
  topic INTEGER NOT NULL, "group" TEXT NOT NULL,
  seen_at REAL NOT NULL, session_seconds REAL NOT NULL
);
CREATE INDEX members_by_group ON members (topic, "group");
CREATE TABLE owned (
  topic INTEGER NOT NULL, "group" TEXT NOT NULL, partition INTEGER NOT NULL, member INTEGER NOT NULL,
  PRIMARY KEY (topic, "group", partition)
) WITHOUT ROWID;
"""


class LogFile:
    """`folder` is made with the file when the first topic is."""

    def __init__(self, folder: Path) -> None:
        refuse("opens the log of messages")
        self.folder = folder

    @property
    def path(self) -> Path:
        return self.folder / "log.db"

    def __str__(self) -> str:
        return f"the log {self.path}"

    def make(self) -> None:
        """The file with its tables, unless it is there."""
        with self.answering():
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / "making.lock"):
                make_database(self.path, BUSY_SECONDS)
                with closing(self._connect(durable=True)) as connection:
                    self._make_tables(connection)

    def _make_tables(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            # Or a file that once was large stays so on the disk.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("VACUUM")
            connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {_VERSION}; COMMIT;")
        elif version != _VERSION:
            raise LogProblem(
                f"{self} was made by another version of the platform (format {version}, not {_VERSION}); "
                "use that version, or delete the folder to begin anew."
            )

    def connect(self, *, durable: bool = False) -> sqlite3.Connection | None:
        """None when no topic was ever made. What `durable` commits outlives a loss of power; heartbeats
        and what is shown need not."""
        if not self.path.exists():
            return None
        with self.answering():
            return self._connect(durable=durable)

    def connect_existing(self, *, durable: bool = False) -> sqlite3.Connection:
        connection = self.connect(durable=durable)
        if connection is None:
            raise LogProblem(f"There is no topic yet: {self} is not there.")
        return connection

    def _connect(self, *, durable: bool) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.resolve().as_uri()}?mode=rw",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("PRAGMA journal_size_limit = 67108864")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @contextmanager
    def answering(self) -> Iterator[None]:
        """What SQLite says is said as a `LogProblem`."""
        try:
            yield
        except sqlite3.OperationalError as problem:
            if "locked" in str(problem) or "busy" in str(problem):
                raise LogProblem(
                    f"{self} was kept by another process for more than {BUSY_SECONDS} seconds; is one "
                    "stopped (`ps` says T) while it writes?"
                ) from problem
            raise LogProblem(f"{self} cannot be used: {problem}.") from problem
        except sqlite3.DatabaseError as problem:
            raise LogProblem(
                f"{self} cannot be read: {problem}. Put it back from a backup; or move it away, make the "
                "topics anew, and accept what is gone with `mesh stream skip`."
            ) from problem
        except OSError as problem:
            raise LogProblem(f"{self} cannot be used: {problem.strerror or problem}.") from problem

    @contextmanager
    def opened(self, *, durable: bool = False) -> Iterator[sqlite3.Connection | None]:
        connection = self.connect(durable=durable)
        try:
            with self.answering():
                yield connection
        finally:
            if connection is not None:
                connection.close()


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that writes, from its first statement on: none has to give up half-way."""
    connection.execute("BEGIN IMMEDIATE")
    yield from _ended(connection)


@contextmanager
def looking(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that sees one state of the log."""
    connection.execute("BEGIN")
    yield from _ended(connection)


def _ended(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # it may have ended it by itself
            connection.execute("ROLLBACK")
        raise
