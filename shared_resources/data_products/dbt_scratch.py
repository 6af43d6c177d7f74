"""The private DuckDB database of one dbt run: pinned inputs in, the model's table out.

Belongs here: making inputs visible to another process without copying them, and reading the result.
Does not belong here: running dbt, staging or publishing.

The views of a snapshot live in the connection that it was registered on, and dbt is another
process. So each snapshot is registered on a throw-away connection, and what that created (a view
over immutable files, perhaps an attached database) is created again in the scratch database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.data_products.dbt_composition import MEMORY_LIMIT, SCRATCH
from shared_resources.data_products.dbt_confinement import INPUTS, open_inputs
from shared_resources.io_managers.protocol import Snapshot
from shared_resources.sql import quote_identifier, quote_literal

ROWS_PER_BATCH = 65_536
_PROBE = "pinned_input"
# A view over Arrow or Python objects holds addresses of this process; no other can follow them.
_OF_THIS_PROCESS = re.compile(r"\b(?:python|arrow|pandas)_\w+\s*\(", re.IGNORECASE)


@dataclass(frozen=True)
class _Input:
    """How another process sees a snapshot: a query, the databases it needs, the files it reads."""

    query: str
    attach: Mapping[str, str]
    paths: tuple[str, ...]


def create(folder: Path, inputs: Mapping[str, Snapshot]) -> None:
    """Make the scratch database in `folder`, with the view `<domain>.<product>` of each input."""
    opened = {key: _portable(key, snapshot, folder) for key, snapshot in inputs.items()}
    attach = {alias: path for input in opened.values() for alias, path in input.attach.items()}
    paths = sorted({path for input in opened.values() for path in input.paths})
    (folder / INPUTS).write_text(json.dumps({"attach": attach, "paths": paths}), encoding="utf-8")
    with opened_scratch(folder) as connection:
        for key, input in opened.items():
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(key.split('/')[0])}")
            connection.execute(f"CREATE VIEW {relation(key)} AS {input.query}")


def relation(product: str) -> str:
    domain, name = product.split("/")
    return f"{quote_identifier(domain)}.{quote_identifier(name)}"


@contextmanager
def opened_scratch(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The scratch database, confined and limited as dbt has it. One process at a time."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY_LIMIT,
        "temp_directory": str(folder / "spill"),
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
        "TimeZone": "UTC",
    }
    with duckdb.connect(str(folder / SCRATCH), config=settings) as connection:
        open_inputs(connection, folder)
        yield connection


def columns_of(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """Column name to DuckDB type of a view or table, in order."""
    described = connection.execute(f"DESCRIBE {relation}").fetchall()
    return {str(row[0]): str(row[1]) for row in described}


def read(connection: duckdb.DuckDBPyConnection, relation: str) -> pa.RecordBatchReader:
    """Stream the table that dbt built; valid while the connection is open."""
    return connection.sql(f"FROM {relation}").to_arrow_reader(ROWS_PER_BATCH)


def _portable(key: str, snapshot: Snapshot, folder: Path) -> _Input:
    with duckdb.connect() as probe:
        snapshot.register(probe, _PROBE)
        views = probe.execute(
            "SELECT sql FROM duckdb_views() WHERE view_name = ? AND NOT internal", [_PROBE]
        ).fetchall()
        attached = probe.execute(
            "SELECT database_name, path FROM duckdb_databases() WHERE path IS NOT NULL"
        ).fetchall()
    query = _query_of(str(views[0][0])) if views else None
    if query is None:
        return _exported(key, snapshot, folder)
    paths = tuple(str(path) for path in snapshot.paths())
    return _Input(query, {str(alias): str(path) for alias, path in attached}, paths)


def _query_of(statement: str) -> str | None:
    """The query of a CREATE VIEW statement, None when it cannot be run in another process."""
    found = re.match(rf"CREATE (?:TEMP )?VIEW \S*{_PROBE} AS (.*)", statement, re.DOTALL)
    if found is None or _OF_THIS_PROCESS.search(found[1]):
        return None
    return found[1].rstrip().removesuffix(";")


def _exported(key: str, snapshot: Snapshot, folder: Path) -> _Input:
    """The last resort for a snapshot that only this process can read: a copy, streamed."""
    file = folder / f"{key.replace('/', '.')}.parquet"
    with snapshot.batches() as reader, pq.ParquetWriter(file, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
    return _Input(f"FROM read_parquet({quote_literal(str(file))})", {}, (str(file),))
