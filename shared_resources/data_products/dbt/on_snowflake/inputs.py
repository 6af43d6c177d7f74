"""The pinned inputs of a dbt run on Snowflake, as views in its scratch schema.

Belongs here: finding a pinned version in the warehouse, where nothing is copied, or loading it.
Does not belong here: the schema itself (`data_products/dbt/target.py`), PUT and COPY
(`stores/cloud_warehouse/loading.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pyarrow.parquet as pq

from shared_resources.access.granted_snapshot import GrantedSnapshot
from shared_resources.contracts.values.comparing import column_type
from shared_resources.data_products.dbt.messages import DbtModelFailed
from shared_resources.parquet import parquet_writer, row_groups, write_group
from shared_resources.sql import quote_identifier
from shared_resources.stores.cloud_warehouse.loading import load
from shared_resources.stores.cloud_warehouse.session import SnowflakeSession
from shared_resources.stores.cloud_warehouse.sql import Columns, Name, definitions
from shared_resources.stores.protocol import UNPARTITIONED, Snapshot, StagedFile, Version
from shared_resources.stores.reading.called import held_names

ROWS_PER_FILE = 1_000_000


class Warehouse(Protocol):
    """What of the store on Snowflake a model's inputs need."""

    name: str

    def open(self, product: str, number: int | None = None) -> Snapshot: ...

    def published_batch(self, product: str, batch_id: str) -> Version | None: ...

    def relation(self, product: str, number: int) -> str:
        """The table that holds exactly this version, quoted."""
        ...


def expose(
    session: SnowflakeSession,
    warehouse: Warehouse | None,
    schema: str,
    snapshot: Snapshot,
    key: str,
    run: Path,
) -> None:
    """Make the view `key` in `schema`; `run` is the run's folder, for what must be written anew."""
    published = _published(warehouse, snapshot, key)
    table = published or _loaded(session, schema, snapshot, key, run)
    held = held_names(snapshot) if published else {}
    columns = ", ".join(
        f"{quote_identifier(held.get(name, name))} AS {quote_identifier(name.upper())}"
        for name in snapshot.schema.names
    )
    session.execute(f"CREATE VIEW {Name(schema, key)} AS SELECT {columns} FROM {table}")  # noqa: S608


def _published(warehouse: Warehouse | None, snapshot: Snapshot, key: str) -> str | None:
    """The version's own table, if the warehouse has the version: pinned there, or in the lake."""
    if warehouse is None or isinstance(snapshot, GrantedSnapshot):
        return None  # its table holds more than is granted
    pinned = snapshot.version
    if pinned.store == warehouse.name:
        return warehouse.relation(key, pinned.number)
    theirs = warehouse.published_batch(key, pinned.batch_id)
    if theirs is None or theirs.rows != pinned.rows:
        return None
    held = held_names(snapshot) or {name: name for name in snapshot.schema.names}
    if not {*held.values()} <= {*warehouse.open(key, theirs.number).schema.names}:
        return None
    return warehouse.relation(key, theirs.number)


def _loaded(session: SnowflakeSession, schema: str, snapshot: Snapshot, key: str, run: Path) -> str:
    table = Name(schema, f"loaded/{key}")
    columns = _columns(snapshot, key)
    files = _as_they_are(snapshot) or _written(snapshot, run / "loading" / key)
    session.execute(f"CREATE TRANSIENT TABLE {table} ({definitions(columns)})")
    load(session, table, columns, files)
    return str(table)


def _columns(snapshot: Snapshot, key: str) -> Columns:
    columns = []
    for field in snapshot.schema:
        type_ = column_type(field.type)
        if type_ is None:
            raise DbtModelFailed(
                f"{key}: column {field.name} is {field.type}, which no contract has"
            )
        columns.append((field.name, type_))
    return tuple(columns)


def _as_they_are(snapshot: Snapshot) -> list[StagedFile] | None:
    """The version's own files, if they are Parquet of its present columns and of nothing else."""
    files = []
    for path in snapshot.paths():
        if path.suffix != ".parquet":
            return None
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow
            if found.names != snapshot.schema.names or found.types != snapshot.schema.types:
                return None
            files.append(StagedFile(path, UNPARTITIONED, file.metadata.num_rows))
    whole = sum(file.rows for file in files) == snapshot.version.rows
    return files if whole else None


def _written(snapshot: Snapshot, folder: Path) -> list[StagedFile]:
    """The version's rows in files of our own: streamed, so memory stays bounded."""
    folder.mkdir(parents=True)
    files: list[StagedFile] = []
    with snapshot.batches() as reader:
        groups = row_groups(reader)
        group = next(groups, None)
        while group is not None:
            path, rows = folder / f"{len(files):05d}.parquet", 0
            with parquet_writer(path, reader.schema, group) as writer:
                while group is not None and rows < ROWS_PER_FILE:
                    write_group(writer, group)
                    rows += group.num_rows
                    group = next(groups, None)
            files.append(StagedFile(path, UNPARTITIONED, rows))
    return files
