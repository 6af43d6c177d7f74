"""A run's file of events is made once, and copied for each run after that.

Belongs here: the file that is copied, and where a copy is as good as what Dagster makes.
Does not belong here: what is stored in it, and over which connection (`kept_connections.py`).

Dagster keeps the events of each run in an SQLite file of its own, and takes 0.1 s of the processor to
make one: its tables, and Alembic, which it starts to write down their revision. All of them are alike.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any


def copied(storage: Any, file: Path) -> bool:
    """Put a copy of a run's empty file to `file`; whether it is one now. Never over another's."""
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME

    empty = _empty(storage)
    old = (file, Path(f"{file}-wal"))  # one that was wiped may have left its log
    if file.stem == INDEX_SHARD_NAME or any(one.exists() for one in old) or not empty.is_file():
        return False
    draft = empty.with_name(f".{uuid.uuid4().hex}")
    try:
        draft.write_bytes(empty.read_bytes())
        with closing(sqlite3.connect(draft)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        os.link(draft, file)
    except (OSError, sqlite3.Error):
        return False  # Dagster makes it, or says why not
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
    return True


def keep(storage: Any, file: Path) -> None:
    """Keep what Dagster has just made in `file`, to be copied from now on; if it is still empty."""
    empty = _empty(storage)
    if empty.exists():
        return
    draft = empty.with_name(f".{uuid.uuid4().hex}")
    with contextlib.suppress(OSError, sqlite3.Error):
        with closing(sqlite3.connect(file)) as connection:
            if connection.execute("SELECT count(*) FROM event_logs").fetchone()[0]:
                return
            connection.execute("VACUUM INTO ?", (str(draft),))
        draft.replace(empty)


def _empty(storage: Any) -> Path:
    """Beside the folder of the runs' files, of which each that ends in `.db` is a run to Dagster."""
    import dagster as dg

    return Path(storage._base_dir).parent / f"empty-run-{dg.__version__}.sqlite"
