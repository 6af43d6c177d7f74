"""A new SQLite database where there is none, without what a lost one left beside it.

Belongs here: making the file. Does not belong here: what is kept in it, reading one that this process
may not write to (`read_only.py`).

Who deletes a database leaves its log there (`-wal`, `-shm`), and SQLite would take it for the new
one's: an I/O error for ever, or pages of the old one in the new.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from shared_resources.state.durable import sync

BUSY_SECONDS = 60


def make_database(file: Path, busy_seconds: float) -> None:
    """Make the file unless it is there. The caller holds a lock that all who call this share."""
    if file.exists():
        return
    for suffix in ("-wal", "-shm", "-journal"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    with closing(sqlite3.connect(file, timeout=busy_seconds)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    sync(file.parent)
