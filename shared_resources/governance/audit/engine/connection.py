"""What the rules run over: the audit's DuckDB connection, and Parquet files as a query.

Belongs here: memory and spill limits, reading staged and published files, NaN as null.
Does not belong here: the view `batch` (`batch_view.py`), rules (`contracts/rules/`).

In the view NaN is null, so that no rule needs to think of it. It is told by `isfinite` and `isinf`
and never by `isnan`: DuckDB answers `isnan(x)` and `x = 'NaN'` from the minimum and maximum in the
Parquet footer, from which writers leave NaN out, and then finds none. Nulls, ranges and row counts
it may take from the footer: `stores/staging/staging.py` wrote it, or landing proved it true.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from shared_resources.contracts.rules.view import PART, PARTITION
from shared_resources.environment import EnvironmentProblem
from shared_resources.problems import MeshProblem
from shared_resources.sql import quote_identifier, quote_literal

if TYPE_CHECKING:
    import pyarrow as pa

    from shared_resources.contracts.rules.kind import Ask

PUBLISHED = "_mesh_published"  # a published version, before NaN is null in it
FILE = "_mesh_file"
ROW = "_mesh_row"  # with FILE the place of a row, where asked for
_VIRTUAL = frozenset({"filename", "file_index", "file_row_number"})
_PATH = "_mesh_path"


OUT_OF_MEMORY = (
    "the rules need more memory than the {} that an audit may take; give MESH_AUDIT_MEMORY more, "
    "e.g. 2GB"
)


class UnreadableBatch(MeshProblem):
    """The staged files cannot be read as Parquet; the message names the file, `said` what is wrong."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said


def memory_limit() -> str:
    """What one audit may hold in memory before it spills to disk, e.g. `512MB`."""
    return os.environ.get("MESH_AUDIT_MEMORY") or "512MB"


@contextmanager
def audit_connection(scratch: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that spills below `scratch` (by default where the system keeps temporary files) and
    forgets it.

    DuckDB takes as many threads as the process has processors, control groups considered.
    """
    connection = _connect()
    spill = _spill_folder(scratch)
    try:
        connection.execute(f"SET temp_directory = {quote_literal(str(spill))}")
        # The day of a timestamp must not depend on where the audit runs.
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    except duckdb.OutOfMemoryException as problem:
        raise EnvironmentProblem(OUT_OF_MEMORY.format(memory_limit())) from problem
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)


def _connect() -> duckdb.DuckDBPyConnection:
    try:
        return duckdb.connect(
            ":memory:",
            config={
                "memory_limit": memory_limit(),
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                # Otherwise an unknown table is looked for among the variables of Python callers.
                "python_enable_replacements": False,
            },
        )
    except duckdb.Error as problem:
        raise EnvironmentProblem(
            f"MESH_AUDIT_MEMORY={memory_limit()!r} is no amount of memory; write e.g. 512MB or 2GB"
        ) from problem


def _spill_folder(scratch: Path | None) -> Path:
    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=".audit-", dir=scratch))


def asking(connection: duckdb.DuckDBPyConnection) -> Ask:
    """What gives kinds of rule the first row of an answer."""
    return lambda query: connection.execute(query).fetchall()[0]


def parquet_scan(
    paths: Sequence[Path],
    schemas: Sequence[pa.Schema],
    parts: Sequence[int] | None = None,
    *,
    places: bool = False,
) -> str:
    """A query over Parquet files. With `parts` (one a file) the rows carry `PART` and `PARTITION`,
    and with `places` also `FILE` and `ROW`.

    Files of different schemas are united by column name, so that what can be checked still is.
    """
    listed = "[" + ", ".join(quote_literal(str(path)) for path in paths) + "]"
    options = ["hive_partitioning = false"]
    if any(schema != schemas[0] for schema in schemas[1:]):
        options.append("union_by_name = true")
    if parts is None:
        return f"SELECT * FROM read_parquet({listed}, {', '.join(options)})"
    names = {name.lower() for schema in schemas for name in schema.names}
    if names & _VIRTUAL:
        # Real columns hide DuckDB's virtual ones; its option costs a text comparison a row.
        options.append(f"filename = {quote_literal(_PATH)}")
        columns, path = f"* EXCLUDE ({_PATH})", _PATH
        index = f"list_position({listed}, {path})"
    else:
        columns, path = "*", "filename"
        index = "file_index::BIGINT + 1"
    one = len(set(parts)) <= 1
    part = "0" if one else "[" + ", ".join(map(str, parts)) + f"][{index}]"
    part += f" AS {PART}"
    if places:
        part += f", {index} AS {FILE}, file_row_number AS {ROW}"
    partition = f"regexp_extract({path}, '.*/partition=([^/]*)/[^/]*$', 1)"
    return (
        f"SELECT {columns}, {part}, {partition} AS {PARTITION} "
        f"FROM read_parquet({listed}, {', '.join(options)})"
    )


def without_nan(query: str, floats: Sequence[str]) -> str:
    """`query` with NaN turned into null in the columns `floats`, which come last.

    `REPLACE` would leave them in place, in a time that grows with the square of their number.
    """
    if not floats:
        return query
    listed = ", ".join(map(quote_identifier, floats))
    cleaned = ", ".join(
        f"CASE WHEN isfinite({column}) OR isinf({column}) THEN {column} END AS {column}"
        for column in map(quote_identifier, floats)
    )
    return f"SELECT * EXCLUDE ({listed}), {cleaned} FROM ({query})"


def float_columns(schemas: Sequence[pa.Schema]) -> tuple[str, ...]:
    """The columns that may hold NaN in any of the files, each once."""
    import pyarrow as pa  # here: whoever asks a query that was written elsewhere needs DuckDB alone

    found: dict[str, None] = {}
    for schema in schemas:
        for field in schema:
            if pa.types.is_floating(field.type):
                found.setdefault(field.name, None)
    return tuple(found)
