"""Loading local Parquet files into a Snowflake table: PUT into a stage of the session, then COPY.

Belongs here: the upload in chunks, the explicit mapping of columns, and counting what was loaded.
Does not belong here: which table it is and when readers see it (`store.py`).

Memory stays bounded whatever the size of the files. In some clouds the connector reads a file as a
whole while it sends it: so there are as many at once as fit, and a large one goes in pieces. The
stage is temporary: Snowflake drops it, and what a dead process left in it, with the session.
"""

from __future__ import annotations

import contextlib
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.parquet import parquet_writer, write_group
from shared_resources.stores.cloud_warehouse.session import (
    SnowflakeProblem,
    SnowflakeSession,
    quoting_nothing,
)
from shared_resources.stores.cloud_warehouse.sql import (
    Columns,
    Name,
    from_parquet,
    names,
    text,
)
from shared_resources.stores.protocol import PublishError, StagedFile

# One PUT sends a chunk's files in parallel; one COPY loads them in parallel, a thread a file.
CHUNK_FILES = 500
CHUNK_BYTES = 4 << 30
PUT_THREADS = 8
PUT_BYTES = 128 << 20  # at once, in all threads; a larger file is cut
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

    Raises `PublishError` when the table would hold other than the files' rows, `SnowflakeProblem`
    when a statement fails: part of the rows may be there then, so the table must be one that nobody
    reads yet, or the caller's transaction (then use `Upload`: making a stage would commit it).
    """
    upload = Upload(session, table.schema, files)
    try:
        upload.copy_into(table, columns)
    finally:
        upload.drop()


class Upload:
    """Files in a temporary stage of the session, to be copied into tables as often as needed."""

    def __init__(
        self, session: SnowflakeSession, schema: str, files: Sequence[ParquetFile]
    ) -> None:
        self._session = session
        self._stage = Name(schema, f"load_{uuid.uuid4().hex}")
        self._chunks: list[tuple[str, dict[str, int]]] = []
        # What the staging of the files needed is kept for a next time, and would add to the peak.
        pa.default_memory_pool().release_unused()
        session.execute(f"CREATE TEMPORARY STAGE {self._stage}")
        try:
            whole = [file for file in files if file.rows and _size(file) <= PUT_BYTES]
            for chunk in _chunks(whole):
                self._put(chunk)
            for large in (file for file in files if file.rows and _size(file) > PUT_BYTES):
                for piece in _pieces(large):
                    self._put([piece])
        except BaseException:
            self.drop()
            raise

    def copy_into(self, table: Name, columns: Columns) -> None:
        """Append the rows to the table. A COPY may be part of a transaction."""
        for where, rows in self._chunks:
            _copy(self._session, table, columns, where, rows)

    def drop(self) -> None:
        # If it cannot be dropped the session is gone, and the stage with it.
        with contextlib.suppress(SnowflakeProblem):
            self._session.execute(f"DROP STAGE IF EXISTS {self._stage}")

    def _put(self, files: Sequence[ParquetFile]) -> None:
        where = f"@{self._stage}/{len(self._chunks)}/"
        threads = max(1, min(PUT_THREADS, PUT_BYTES // max(map(_size, files))))
        with _linked(files) as (folder, rows):
            self._session.execute(
                f"PUT {text(f'file://{folder}/*.parquet')} {where} "
                f"AUTO_COMPRESS = FALSE OVERWRITE = TRUE PARALLEL = {threads}"
            )
        self._chunks.append((where, rows))


def _copy(
    session: SnowflakeSession, table: Name, columns: Columns, where: str, rows: dict[str, int]
) -> None:
    statement = (
        f"COPY INTO {table} ({names(name for name, _ in columns)}) "
        f"FROM (SELECT {from_parquet(columns)} FROM {where}) "
        f"FILE_FORMAT = ({PARQUET}) ON_ERROR = ABORT_STATEMENT"
    )
    with quoting_nothing(f"loading {table}"):
        result = session.execute(statement)
    loaded: dict[str, int] = {}
    found = [name.lower() for name in result.columns]
    if {"file", "rows_loaded"} <= set(found):
        file, count = found.index("file"), found.index("rows_loaded")
        loaded = {str(row[file]).rpartition("/")[2]: int(row[count]) for row in result.rows}
    if loaded != rows:
        raise PublishError(
            f"loading {table}: {sum(rows.values())} rows in {len(rows)} files were staged, and "
            f"Snowflake loaded {sum(loaded.values())} rows of {len(loaded)} files. Nothing was "
            "published; run it again."
        )


def _chunks(files: Sequence[ParquetFile]) -> Iterator[Sequence[ParquetFile]]:
    chunk: list[ParquetFile] = []
    size = 0
    for file in files:
        if chunk and (len(chunk) == CHUNK_FILES or size + _size(file) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(file)
        size += _size(file)
    if chunk:
        yield chunk


def _size(file: ParquetFile) -> int:
    return file.path.stat().st_size


def _pieces(file: ParquetFile) -> Iterator[ParquetFile]:
    """The file's row groups in files of about half of what may be sent at once, one at a time."""
    with tempfile.TemporaryDirectory(prefix="mesh-cut-") as folder:
        parquet = pq.ParquetFile(file.path)
        waiting = list(range(parquet.num_row_groups))
        while waiting:
            path = Path(folder) / "piece.parquet"
            group = parquet.read_row_group(waiting.pop(0))
            rows = group.num_rows
            with parquet_writer(path, parquet.schema_arrow, group) as writer:
                write_group(writer, group)
                while waiting and path.stat().st_size < PUT_BYTES // 2:
                    group = parquet.read_row_group(waiting.pop(0))
                    write_group(writer, group)
                    rows += group.num_rows
            yield StagedFile(path, "", rows)


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
