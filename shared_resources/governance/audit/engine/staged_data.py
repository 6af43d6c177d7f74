"""Staged files as something that can be audited, beside the published snapshots.

Belongs here: reading a staged batch's files and their schemas.
Does not belong here: staging (`stores/staging/staging.py`) or judging (`governance/audit/audit.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import arrow_schema
from shared_resources.governance.audit.engine.connection import UnreadableBatch, parquet_scan
from shared_resources.sql import quote_identifier
from shared_resources.stores.protocol import StagedBatch, StagedFile


@runtime_checkable
class Auditable(Protocol):
    """What an audit can run over: a published snapshot, or `StagedData`."""

    @property
    def schema(self) -> pa.Schema: ...

    def batches(
        self, columns: Sequence[str] | None = None, partitions: Sequence[str] | None = None
    ) -> pa.RecordBatchReader: ...

    def register(self, connection: duckdb.DuckDBPyConnection, name: str) -> None: ...

    def paths(self) -> tuple[Path, ...]: ...


@dataclass(frozen=True)
class StagedData:
    """A staged batch, open for reading. Raises `UnreadableBatch` for a file that is no Parquet."""

    batch: StagedBatch

    @cached_property
    def footers(self) -> tuple[pq.FileMetaData, ...]:
        """The footer of each file, in the order of the files."""
        return tuple(_footer(file.path) for file in self.batch.files)

    @cached_property
    def schemas(self) -> tuple[pa.Schema, ...]:
        """The Arrow schema of each file, in the order of the files."""
        return tuple(footer.schema.to_arrow_schema() for footer in self.footers)

    @property
    def schema(self) -> pa.Schema:
        """The first file's schema; without a file, one without columns."""
        return self.schemas[0] if self.schemas else pa.schema([])

    @property
    def half_decoded(self) -> bool:
        """Whether DuckDB has yet to decode some of the files: see `StagedFile`."""
        return any(file.half_decoded for file in self.batch.files)

    def paths(self) -> tuple[Path, ...]:
        return tuple(file.path for file in self.batch.files)

    def register(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        """Make the rows queryable as the view `name`; there must be a file."""
        query = parquet_scan(self.paths(), self.schemas)
        connection.execute(f"CREATE OR REPLACE VIEW {quote_identifier(name)} AS {query}")

    def batches(
        self, columns: Sequence[str] | None = None, partitions: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """Stream the rows as they were staged: only `columns`, only `partitions`, when given."""
        wanted = [
            file for file in self.batch.files if partitions is None or file.partition in partitions
        ]
        # Two types that do not go together, e.g. text and numbers, have text in common.
        schema = _united(self.schemas)
        if columns is not None:
            schema = pa.schema([schema.field(name) for name in columns])
        return pa.RecordBatchReader.from_batches(schema, _stream(wanted, schema))


def staged_files(files: Sequence[tuple[str, str, int]], folder: Path) -> StagedData:
    """Parquet files of which nothing else is known: (path, partition, rows) of each."""
    found = tuple(StagedFile(Path(path), day, rows) for path, day, rows in files)
    return StagedData(StagedBatch(product="", batch_id="", folder=folder, files=found))


@dataclass(frozen=True)
class NoRows:
    """A batch for which not even an empty file was staged: no row, of the contract's types."""

    contract: Contract

    @property
    def schema(self) -> pa.Schema:
        return arrow_schema(tuple((column.name, column.type) for column in self.contract.columns))

    def paths(self) -> tuple[Path, ...]:
        return ()

    def register(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        columns = ", ".join(
            f"CAST(NULL AS {column.type.duckdb}) AS {quote_identifier(column.name)}"
            for column in self.contract.columns
        )
        connection.execute(
            f"CREATE OR REPLACE VIEW {quote_identifier(name)} AS SELECT {columns} WHERE FALSE"
        )

    def batches(
        self, columns: Sequence[str] | None = None, partitions: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        schema = self.schema
        if columns is not None:
            schema = pa.schema([schema.field(name) for name in columns])
        return pa.RecordBatchReader.from_batches(schema, [])


def _stream(files: Sequence[StagedFile], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for file in files:
        with pq.ParquetFile(file.path) as parquet:
            present = [name for name in schema.names if name in parquet.schema_arrow.names]
            for batch in parquet.iter_batches(columns=present):
                yield _under(batch, schema)


def _united(schemas: Sequence[pa.Schema]) -> pa.Schema:
    try:
        return pa.unify_schemas(list(schemas), promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        names = list(dict.fromkeys(name for schema in schemas for name in schema.names))
        types = {name: {s.field(name).type for s in schemas if name in s.names} for name in names}
        return pa.schema(
            [(name, types[name].pop() if len(types[name]) == 1 else pa.string()) for name in names]
        )


def _under(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch under the united schema: columns that its file lacks are null."""
    if batch.schema.equals(schema):
        return batch
    columns = [
        batch.column(field.name).cast(field.type)
        if field.name in batch.schema.names
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _footer(path: Path) -> pq.FileMetaData:
    try:
        return pq.read_metadata(path)
    except (pa.ArrowInvalid, OSError) as problem:
        raise UnreadableBatch(
            f"{path} cannot be read as Parquet: {problem}. Stage the batch again.", str(problem)
        ) from problem
