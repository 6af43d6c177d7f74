"""Whether what lies in a store is still what was published.

Belongs here: comparing size and row count when a version is opened or read, and SHA-256 when asked.
Does not belong here: which files a version has (the stores' snapshots), telling people (`cli/`).
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from shared_resources.stores.protocol import Damaged, Version

READERS = 8


@dataclass(frozen=True)
class PublishedFile:
    """A local file of a version, and what it had when it was published; None: nobody wrote it down.

    `location` is what people know it by.
    """

    path: Path
    size: int | None
    parquet_rows: int | None = None
    location: str = ""


def check_files(version: Version, files: Iterable[PublishedFile]) -> None:
    """Raise `Damaged` for the first file that lacks, or has more than, what was published."""
    listed = list(files)
    if len(listed) < 2:
        found = [_problem(file) for file in listed]
    else:
        with ThreadPoolExecutor(READERS, thread_name_prefix="intact") as pool:
            found = list(pool.map(_problem, listed))
    for file, problem in zip(listed, found, strict=True):
        if problem is not None:
            raise damaged(version, file.location or str(file.path), problem)


def damaged(version: Version, what: str, problem: str) -> Damaged:
    return Damaged(
        version.product,
        what,
        f"{problem}: it is not what was published as version {version.number} in the {version.store}",
        "Restore it from a copy, make the product again with `mesh run`, or go back to a whole version "
        f"with `mesh rollback {version.product}`; `mesh check --data` compares all files.",
    )


def _problem(file: PublishedFile) -> str | None:
    try:
        stat = file.path.stat()
    except FileNotFoundError:
        return "is not there"
    if file.size is not None and stat.st_size != file.size:
        return f"has {stat.st_size:,} bytes instead of {file.size:,}"
    if file.parquet_rows is None:
        return None
    rows = _rows(file.path, stat.st_size, stat.st_mtime_ns, stat.st_ino)
    if rows is None:
        return "is no Parquet file any more"
    if rows != file.parquet_rows:
        return f"has {rows:,} rows instead of {file.parquet_rows:,}"
    return None


@lru_cache(maxsize=65_536)
def _rows(path: Path, size: int, modified: int, inode: int) -> int | None:
    """What the footer says; once a process for a file that nobody touched."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as problem:
        if getattr(problem, "errno", None) is not None:
            raise  # the system's, who says nothing of the file
        return None
