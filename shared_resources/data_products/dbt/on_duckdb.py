"""dbt on DuckDB: the private database of one run, pinned inputs in, the model's table out.

Belongs here: the generated profile, making inputs visible to another process without copying them,
and reading the result. Does not belong here: running dbt, staging or publishing, and what the model
may reach while dbt runs it (`confinement.py`).

The views of a snapshot live in the connection that it was registered on, and dbt is another
process. So each snapshot is registered on a throw-away connection, and what that created (a view
over immutable files, perhaps an attached database) is created again in the scratch database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from shared_resources.access.granted_snapshot import GrantedSnapshot
from shared_resources.contracts.values.duckdb_columns import to_reader
from shared_resources.parquet import write_parquet
from shared_resources.sql import quote_identifier, quote_literal
from shared_resources.stores.protocol import Snapshot

SCRATCH = "scratch.duckdb"
MEMORY_LIMIT = "1GiB"
ROWS_PER_BATCH = 65_536
_PLUGIN = "shared_resources.data_products.dbt.confinement"
_PROBE = "pinned_input"
# A view over Arrow or Python objects holds addresses of this process; no other can follow them.
_OF_THIS_PROCESS = re.compile(r"\b(?:python|arrow|pandas)_\w+\s*\(", re.IGNORECASE)


@dataclass(frozen=True)
class _Input:
    """How another process sees a snapshot: a query, the databases it needs, the files it reads."""

    query: str
    attach: Mapping[str, str]
    paths: tuple[str, ...]


class DuckDBTarget:
    """dbt-duckdb on a database file of the run's own, in the run's folder."""

    name = "duckdb"
    module = _PLUGIN
    prepared: tuple[str, ...] = (
        *(_PLUGIN, "dbt.adapters.duckdb.impl", "dbt.cli.main"),
        "sqlglot.dialects.duckdb",
    )

    def profile(self) -> dict[str, Any]:
        """One for every run: dbt parses all anew whenever the connection's settings differ.

        Its paths are relative to the run's own copy of the project, and what differs from run to
        run (the attached inputs) is read from there by the plugin.
        """
        return {
            "type": "duckdb",
            "path": SCRATCH,
            "threads": 2,
            "config_options": {**_settings(), "temp_directory": "spill"},
            "plugins": [{"module": _PLUGIN}],
        }

    def settings(self) -> dict[str, Any]:
        return {}

    def source(self, domain: str) -> dict[str, Any]:
        return {"schema": domain}

    def table(self, product: str) -> dict[str, Any]:
        return {}

    def parsing(self) -> Mapping[str, str]:
        return {}

    @contextmanager
    def scratch(self, run: Path, inputs: Mapping[str, Snapshot]) -> Iterator[_Scratch]:
        """The scratch database in `run`, with the view `<domain>.<product>` of each input."""
        from shared_resources.data_products.dbt.confinement import INPUTS

        opened = {key: _portable(key, snapshot, run) for key, snapshot in inputs.items()}
        attach = {alias: path for input in opened.values() for alias, path in input.attach.items()}
        paths = sorted({path for input in opened.values() for path in input.paths})
        (run / INPUTS).write_text(
            json.dumps({"attach": attach, "paths": paths, "views": sorted(inputs)}),
            encoding="utf-8",
        )
        with _connected(run) as connection:
            for key, input in opened.items():
                schema, view = (quote_identifier(part) for part in key.split("/"))
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
                connection.execute(f"CREATE VIEW {schema}.{view} AS {input.query}")
        yield _Scratch(run)

    def remove_abandoned(self, run: Path) -> None:
        """All of it is in the folder."""


@dataclass(frozen=True)
class _Scratch:
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def opened(self) -> Iterator[_Built]:
        with _connected(self.folder) as connection:
            yield _Built(connection)


@dataclass(frozen=True)
class _Built:
    connection: duckdb.DuckDBPyConnection

    def columns_of(self, relation: str) -> dict[str, str]:
        described = self.connection.execute(f"DESCRIBE {relation}").fetchall()
        return {str(row[0]): str(row[1]) for row in described}

    def read(self, relation: str, columns: tuple[str, ...]) -> pa.RecordBatchReader:
        return to_reader(self.connection.sql(f"FROM {relation}"), ROWS_PER_BATCH)


def _settings() -> dict[str, str | bool | int | float | list[str]]:
    return {
        "memory_limit": MEMORY_LIMIT,
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
        "TimeZone": "UTC",
    }


@contextmanager
def _connected(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The scratch database, confined and limited as dbt has it. One process at a time."""
    from shared_resources.data_products.dbt.confinement import open_inputs

    settings = {**_settings(), "temp_directory": str(folder / "spill")}
    with duckdb.connect(str(folder / SCRATCH), config=settings) as connection:
        open_inputs(connection, folder)
        yield connection


def _portable(key: str, snapshot: Snapshot, folder: Path) -> _Input:
    if isinstance(snapshot, GrantedSnapshot):
        return _exported(key, snapshot, folder)  # a model could read more from the files themselves
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
    """A copy, streamed: of what is granted, and of a snapshot that only this process can read."""
    file = folder / f"{key.replace('/', '.')}.parquet"
    with snapshot.batches() as reader:
        write_parquet(file, reader.schema, reader)
    return _Input(f"FROM read_parquet({quote_literal(str(file))})", {}, (str(file),))
