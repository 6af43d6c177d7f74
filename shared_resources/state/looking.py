"""What the mesh's state says, for commands that only look at it.

Belongs here: asking a query of it without SQLAlchemy, where it is a file of SQLite.
Does not belong here: what is asked, and everything that writes (`database.py`).

SQLAlchemy and its engine take a fifth of a second of processor time, and a transaction there waits for
whoever writes.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from shared_resources.confinement.guard import refuse
from shared_resources.environment import Environment
from shared_resources.state.read_only import may_write
from shared_resources.state.sqlite_file import BUSY_SECONDS

Row = tuple[Any, ...]


def look(environment: Environment, table: str, query: str) -> list[Row]:
    """The rows that the query answers, which reads this table alone; none where it was never made."""
    refuse("opens the platform's state")
    file = environment.state_file
    if file is not None and may_write(file.parent):
        try:
            return _look_at_file(file, table, query)
        except sqlite3.Error:
            # Who opens it for writing says the same in the words that people know.
            return _look_through_engine(environment, table, query)
    return _look_through_engine(environment, table, query)


def _look_at_file(file: Path, table: str, query: str) -> list[Row]:
    if not file.exists():
        return []
    address = f"{file.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)) as opened:
        known = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
        if not opened.execute(known, (table,)).fetchone()[0]:
            return []
        return opened.execute(query).fetchall()


def _look_through_engine(environment: Environment, table: str, query: str) -> list[Row]:
    import sqlalchemy as sa

    with environment.state.begin() as connection:
        if not sa.inspect(connection).has_table(table):
            return []
        return [row._tuple() for row in connection.execute(sa.text(query))]
