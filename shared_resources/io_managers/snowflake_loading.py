"""Loading local Parquet files into a Snowflake table: PUT into a stage of the session, then COPY.

Belongs here: the upload in chunks, the explicit mapping of columns, and counting what was loaded.
Does not belong here: which table it is and when readers see it (`snowflake.py`).

Memory stays bounded whatever the size of the files: the connector streams each from disk. The stage
is temporary: Snowflake drops it, and what a dead process left in it, with the session.
"""

from __future__ import annotations

import contextlib
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from shared_resources.io_managers.protocol import PublishError
from shared_resources.io_managers.snowflake_session import (
    ConnectionLost,
    Missing,
    SnowflakeProblem,
    SnowflakeSession,
    without_values,
)
from shared_resources.io_managers.snowflake_sql import Columns, Name, from_parquet, names, text

# One PUT sends a chunk's files in parallel; one COPY loads them in parallel, a thread a file.
CHUNK_FILES = 500
CHUNK_BYTES = 4 << 30
PUT_THREADS = 8
# Logical types: else a timestamp arrives as a bare number. NULL_IF: else the text \N becomes null.
PARQUET = "TYPE = PARQUET USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE NULL_IF = ()"


class ParquetFile(Protocol):
    """A local file and its number of rows, e.g. a `protocol.StagedFile`."""

    @property
    def path(self) -> Path: ...

    @property
    def rows(self) -> int: ...


def load(
    session: SnowflakeSession, table: Name, columns: Columns, files: Sequence[ParquetFile]
) -> None:
    """Append the files' rows to the table, which has these columns.

    Every file is there as a whole afterwards. Raises `PublishError` when the table would hold other
    than the files' rows, `SnowflakeProblem` when a statement fails: part of the rows may be there
    then, so the table must be one that nobody reads yet, or the caller's transaction.
    """
    with _stage(session, table.schema) as stage:
        for number, chunk in enumerate(_chunks([file for file in files if file.rows])):
            where = f"@{stage}/{number}/"
            with _linked(chunk) as (folder, rows):
                session.execute(
                    f"PUT {text(f'file://{folder}/*.parquet')} {where} "
                    f"AUTO_COMPRESS = FALSE OVERWRITE = TRUE PARALLEL = {PUT_THREADS}"
                )
            _copy(session, table, columns, where, rows)


def _copy(
    session: SnowflakeSession, table: Name, columns: Columns, where: str, rows: dict[str, int]
) -> None:
    statement = (
        f"COPY INTO {table} ({names(name for name, _ in columns)}) "
        f"FROM (SELECT {from_parquet(columns)} FROM {where}) "
        f"FILE_FORMAT = ({PARQUET}) ON_ERROR = ABORT_STATEMENT PURGE = TRUE"
    )
    try:
        result = session.execute(statement)
    except (ConnectionLost, Missing):
        raise
    except SnowflakeProblem as problem:
        # It may quote a value of a classified column.
        raise SnowflakeProblem(f"loading {table}: {without_values(str(problem))}") from None
    columns_found = [name.lower() for name in result.columns]
    loaded: dict[str, int] = {}
    if {"file", "rows_loaded"} <= set(columns_found):
        file, count = columns_found.index("file"), columns_found.index("rows_loaded")
        loaded = {str(row[file]).rpartition("/")[2]: int(row[count]) for row in result.rows}
    if loaded != rows:
        missing = sum(rows.values()) - sum(loaded.values())
        raise PublishError(
            f"loading {table}: Snowflake loaded {len(loaded)} files with {missing} rows less than "
            f"the {sum(rows.values())} rows of the {len(rows)} that were staged. Nothing was "
            "published; run it again."
        )


@contextlib.contextmanager
def _stage(session: SnowflakeSession, schema: str) -> Iterator[Name]:
    stage = Name(schema, f"load_{uuid.uuid4().hex}")
    session.execute(f"CREATE TEMPORARY STAGE {stage}")
    try:
        yield stage
    finally:
        # If it cannot be dropped the session is gone, and the stage with it.
        with contextlib.suppress(SnowflakeProblem):
            session.execute(f"DROP STAGE IF EXISTS {stage}")


def _chunks(files: Sequence[ParquetFile]) -> Iterator[Sequence[ParquetFile]]:
    chunk: list[ParquetFile] = []
    size = 0
    for file in files:
        bytes_ = file.path.stat().st_size
        if chunk and (len(chunk) == CHUNK_FILES or size + bytes_ > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(file)
        size += bytes_
    if chunk:
        yield chunk


@contextlib.contextmanager
def _linked(files: Sequence[ParquetFile]) -> Iterator[tuple[Path, dict[str, int]]]:
    """A folder that holds the files under names of their own; and the rows by name.

    A PUT takes a folder's files into one path of the stage: those of two partitions, which are both
    called part-00000.parquet, would overwrite each other there.
    """
    with tempfile.TemporaryDirectory(prefix="mesh-put-") as folder:
        rows = {}
        for number, file in enumerate(files):
            link = Path(folder) / f"{number:05d}.parquet"
            link.symlink_to(file.path.absolute())
            rows[link.name] = file.rows
        yield Path(folder), rows
