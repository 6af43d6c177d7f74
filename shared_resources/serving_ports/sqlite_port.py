"""The embedded port: one SQLite database a product, which many processes may read while one writes.

Belongs here: the port's methods on SQLite (WAL). Does not belong here: which version is served
(`following.py`), connections and their files (`sqlite_files.py`).

A generation is a table. A reader looks at the pointer and at the row in one transaction, and so in one
state of the file. Loading commits every few thousand rows, so that whoever upserts meanwhile waits for
no more than those. The switch is committed with a sync of the disk: not even a power cut takes it back.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from shared_resources.serving_ports.port import (
    Counted,
    Found,
    Generation,
    Held,
    Row,
    State,
)
from shared_resources.serving_ports.sqlite_files import SqliteFiles
from shared_resources.serving_ports.written import (
    check_position,
    generation_of,
    superseded,
    text_of,
)
from shared_resources.sql import quote_identifier

ROWS_A_COMMIT = 5_000
_HELD = "SELECT generation, state, since, position, note FROM generations"


class SqlitePort:
    """Implements `port.ServingPort` below a folder."""

    name = "sqlite"
    remote = False

    def __init__(self, root: Path) -> None:
        self._files = SqliteFiles(root)
        self._read: dict[str, Generation] = {}

    def products(self) -> list[str]:
        return [product for product in self._files.products() if self.held(product)]

    def current(self, product: str) -> Held | None:
        found = [one for one in self.held(product) if one.state is State.CURRENT]
        return found[0] if found else None

    def held(self, product: str) -> list[Held]:
        if not self._files.there(product):
            return []
        with self._files.reading(product) as connection:
            rows = connection.execute(f"{_HELD} ORDER BY since").fetchall()
        return [
            Held(generation_of(text), State(state), datetime.fromisoformat(since), position, note)
            for text, state, since, position, note in rows
        ]

    def begin(self, generation: Generation) -> None:
        with self._files.changing(generation.product) as connection:
            connection.execute(
                "INSERT INTO generations (id, generation, state, since) VALUES (?, ?, ?, ?)",
                (generation.id, text_of(generation), State.WRITING, _now()),
            )
            table = _table(generation.id)
            connection.execute(
                f"CREATE TABLE {table} (key TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID"
            )

    def load(self, generation: Generation, rows: Iterable[Row]) -> None:
        statement = f"INSERT OR REPLACE INTO {_table(generation.id)} VALUES (?, ?)"
        waiting = iter(rows)
        while some := list(itertools.islice(waiting, ROWS_A_COMMIT)):
            with self._files.changing(generation.product) as connection:
                _check(connection, generation, State.WRITING)
                connection.executemany(statement, some)

    def stored(self, generation: Generation) -> Iterator[Row]:
        with self._files.apart(generation.product) as connection:
            try:
                rows = connection.execute(f"SELECT key, row FROM {_table(generation.id)}")
            except sqlite3.OperationalError as problem:
                raise superseded(generation) from problem
            yield from rows

    def written(self, generation: Generation, counted: Counted) -> None:
        noted = replace(generation, rows=counted.rows, digest=counted.digest)
        with self._files.changing(generation.product) as connection:
            _check(connection, generation, State.WRITING)
            connection.execute(
                "UPDATE generations SET generation = ?, state = ?, since = ? WHERE id = ?",
                (text_of(noted), State.WRITTEN, _now(), generation.id),
            )

    def switch(self, generation: Generation, instead_of: str | None) -> bool:
        with self._files.changing(generation.product) as connection:
            before = connection.execute("SELECT generation FROM pointer").fetchone()
            if (before[0] if before else None) != instead_of:
                return False
            _check(connection, generation, State.WRITTEN)
            now = _now()
            set_state = "UPDATE generations SET state = ?, since = ? WHERE id = ?"
            connection.execute(set_state, (State.REPLACED, now, instead_of))
            connection.execute(set_state, (State.CURRENT, now, generation.id))
            connection.execute("INSERT OR REPLACE INTO pointer VALUES (1, ?)", (generation.id,))
        return True

    def drop(self, product: str, generation: str) -> bool:
        if not self._files.there(product):
            return True
        with self._files.changing(product) as connection:
            current = connection.execute("SELECT generation FROM pointer").fetchone()
            if current and current[0] == generation:
                return False
            connection.execute(f"DROP TABLE IF EXISTS {_table(generation)}")
            connection.execute("DELETE FROM generations WHERE id = ?", (generation,))
        return True

    def forget(self, product: str) -> None:
        if not self._files.there(product):
            return
        with self._files.changing(product) as connection:
            for (id_,) in connection.execute("SELECT id FROM generations").fetchall():
                connection.execute(f"DROP TABLE IF EXISTS {_table(id_)}")
            connection.execute("DELETE FROM pointer")
            connection.execute("DELETE FROM generations")
        self.scrub(product)

    def get(self, product: str, key: str) -> Found | None:
        if not self._files.there(product):
            return None
        with self._files.reading(product) as connection:
            current = connection.execute(
                "SELECT g.id, g.position, g.note FROM pointer p JOIN generations g ON g.id = p.generation"
            ).fetchone()
            if current is None:
                return None
            id_, position, note = current
            row = connection.execute(
                f"SELECT row FROM {_table(id_)} WHERE key = ?", (key,)
            ).fetchone()
            generation = self._read.get(id_) or self._remember(connection, id_)
        return Found(generation, row[0] if row else None, position, note)

    def upsert(
        self,
        generation: Generation,
        rows: Mapping[str, str],
        position: int,
        *,
        after: int | None,
        note: str = "",
    ) -> None:
        with self._files.changing(generation.product) as connection:
            _check(connection, generation, State.CURRENT)
            (before,) = connection.execute(
                "SELECT position FROM generations WHERE id = ?", (generation.id,)
            ).fetchone()
            check_position(generation, before, position, after)
            connection.executemany(
                f"INSERT OR REPLACE INTO {_table(generation.id)} VALUES (?, ?)", rows.items()
            )
            connection.execute(
                "UPDATE generations SET position = ?, note = ? WHERE id = ?",
                (position, note, generation.id),
            )

    def scrub(self, product: str) -> None:
        """Pages that were freed hold zeros (`secure_delete`); what is left is the log."""
        if self._files.there(product):
            self._files.empty_log(product)

    def _remember(self, connection: sqlite3.Connection, id_: str) -> Generation:
        """What a generation is does not change once it is current."""
        (text,) = connection.execute(
            "SELECT generation FROM generations WHERE id = ?", (id_,)
        ).fetchone()
        if len(self._read) > 1_000:
            self._read.clear()
        self._read[id_] = generation_of(text)
        return self._read[id_]


def _check(connection: sqlite3.Connection, generation: Generation, wanted: State) -> None:
    found = connection.execute(
        "SELECT state FROM generations WHERE id = ?", (generation.id,)
    ).fetchone()
    if found is None or found[0] != wanted:
        raise superseded(generation)


def _table(id_: str) -> str:
    return quote_identifier(f"generation {id_}")


def _now() -> str:
    return datetime.now(UTC).isoformat()
