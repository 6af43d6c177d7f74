"""Reading state that this process may not write to: a mounted backup, another user's mesh.

Belongs here: telling so, and a copy of a SQLite database that can be opened then.
Does not belong here: what is read.

SQLite itself wants to write beside a database that it reads (its -shm file). So the small file is
copied, with what of it is in its log.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

COPIES = 50


def may_write(folder: Path) -> bool:
    """Whether something can be made in the folder, or in the one that it would be made in."""
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    return os.access(existing, os.W_OK | os.X_OK)


def state_of(database: Path) -> tuple[tuple[int, int, int], ...]:
    """What changes whenever the database does."""
    stats = [file.stat() for file in _files(database)]
    return tuple((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats)


def copy_of(database: Path) -> Path:
    """A copy of the database in a folder that goes with this process; of no file, no file."""
    folder = Path(tempfile.mkdtemp(prefix="mesh-read-only-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for _ in range(COPIES):
        before = state_of(database)
        for file in _files(database):
            shutil.copyfile(file, folder / file.name)
        if state_of(database) == before:  # else its owner has written meanwhile
            break
    return folder / database.name


def _files(database: Path) -> list[Path]:
    names = (database.name, f"{database.name}-wal")
    return [file for name in names if (file := database.with_name(name)).exists()]
