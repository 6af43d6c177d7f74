"""The databases of the embedded port: their files, and a connection a thread.

Belongs here: where they lie, making them, transactions. Does not belong here: what is kept in them
(`sqlite_port.py`).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock

from shared_resources.mesh.model import is_product_key
from shared_resources.serving_ports.port import PortUnreachable
from shared_resources.state.sqlite_file import make_database

BUSY_SECONDS = 60
_TABLES = """
CREATE TABLE IF NOT EXISTS generations (
  id TEXT PRIMARY KEY, generation TEXT NOT NULL, state TEXT NOT NULL, since TEXT NOT NULL,
  position INTEGER, note TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS pointer (one INTEGER PRIMARY KEY CHECK (one = 1), generation TEXT NOT NULL);
"""

# What is there is brought to this form by whoever opens it first.
_FORM = 2


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    (form,) = connection.execute("PRAGMA user_version").fetchone()
    for statement in _TABLES.split(";")[:-1] if form < 1 else ():
        connection.execute(statement)
    if form == 1:
        connection.execute("ALTER TABLE generations ADD COLUMN note TEXT NOT NULL DEFAULT ''")
    connection.execute(f"PRAGMA user_version = {_FORM}")
    connection.execute("COMMIT")


class SqliteFiles:
    """`<root>/<domain>/<product>.db`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._of_thread = threading.local()
        self._paths: dict[str, Path] = {}

    def products(self) -> list[str]:
        return sorted(f"{one.parent.name}/{one.stem}" for one in self._root.glob("*/*.db"))

    def file(self, product: str) -> Path:
        """Raises `ValueError` for what is no product's key: its path could lead to another's."""
        known = self._paths.get(product)
        if known is not None:
            return known
        if not is_product_key(product):
            raise ValueError(f"{product!r} is no product key")
        if len(self._paths) > 1_000:
            self._paths.clear()
        made = self._paths[product] = self._root / f"{product}.db"
        return made

    def there(self, product: str) -> bool:
        return self.file(product).is_file()

    @contextmanager
    def reading(self, product: str) -> Iterator[sqlite3.Connection]:
        """One state of the file, for as long as the block lasts."""
        with self._problems(product):
            connection = self._connection(product)
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")

    @contextmanager
    def changing(self, product: str) -> Iterator[sqlite3.Connection]:
        """One transaction that writes, alone; nothing of it stays when the block raises."""
        with self._problems(product):
            connection = self._connection(product)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def apart(self, product: str) -> Iterator[sqlite3.Connection]:
        """A connection of its own, for who reads long and does something else in between."""
        with self._problems(product), closing(self._open(product)) as connection:
            yield connection

    def empty_log(self, product: str) -> None:
        with self._problems(product), closing(self._open(product)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _connection(self, product: str) -> sqlite3.Connection:
        """This thread's, of the file that lies there now: one that was made anew is another."""
        opened: dict[str, tuple[int, sqlite3.Connection]] = self._of_thread.__dict__
        try:
            here = self.file(product).stat().st_ino
        except FileNotFoundError:
            here = 0
        known = opened.get(product)
        if known is not None and here and known[0] == here:
            return known[1]
        if known is not None:
            known[1].close()
        connection = self._open(product)
        opened[product] = (self.file(product).stat().st_ino, connection)
        return connection

    def _open(self, product: str) -> sqlite3.Connection:
        file = self.file(product)
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{file}.lock"):
                make_database(file, BUSY_SECONDS)
        connection = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
        connection.execute("PRAGMA synchronous = FULL")
        # Rows that were erased are not to be found in pages that nobody uses any more.
        connection.execute("PRAGMA secure_delete = ON")
        if connection.execute("PRAGMA user_version").fetchone()[0] < _FORM:
            _make_tables(connection)
        return connection

    @contextmanager
    def _problems(self, product: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as problem:
            raise PortUnreachable(
                f"{self.file(product)}: {problem}; a serving port is made anew from what is published: "
                f"remove the file and run `mesh housekeeping {product}`"
            ) from problem
