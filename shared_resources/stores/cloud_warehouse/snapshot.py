"""A pinned version of a product in Snowflake.

Belongs here: streaming its rows over the connection, and the local copy that DuckDB reads.
Does not belong here: which version it is (`store.py`), where copies lie (`object_store/local_copies.py`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from shared_resources.evidence.statement import AttestedFile
from shared_resources.object_store.local_copies import LocalCopies
from shared_resources.parquet import write_parquet
from shared_resources.stores.cloud_warehouse.record.entry import Entry
from shared_resources.stores.cloud_warehouse.record.versions import versions_schema
from shared_resources.stores.cloud_warehouse.session import Missing, SnowflakeSession
from shared_resources.stores.cloud_warehouse.sql import Name, in_days, names
from shared_resources.stores.embedded_warehouse.files import days_condition, parquet_query
from shared_resources.stores.intact import damaged
from shared_resources.stores.protocol import NotPublished, Verified, Version
from shared_resources.stores.reading.sql_snapshot import ROWS_PER_BATCH, SqlSnapshot


class SnowflakeSnapshot(SqlSnapshot):
    """A version's table never changes, so a copy of it is made once and holds for ever."""

    streams_columns = True

    def __init__(
        self, session: SnowflakeSession, copies: LocalCopies, version: Version, entry: Entry
    ) -> None:
        super().__init__(version, entry.columns)
        self._session = session
        self._copies = copies
        self._entry = entry
        domain = version.product.partition("/")[0]
        self._table = Name(versions_schema(domain), entry.table)

    def check(self) -> None:
        """Raise `Damaged` when the table has more or fewer rows than were published."""
        with contextlib.suppress(Missing):  # it expired meanwhile: reading says so
            ((found,),) = self._session.query(f"SELECT COUNT(*) FROM {self._table}").rows
            if int(found) != self._entry.rows:
                problem = f"has {int(found):,} rows instead of {self._entry.rows:,}"
                raise damaged(self._version, str(self._table), problem)

    def verify(self) -> Verified:
        """Snowflake shows no files to compare: the rows were counted when the version was opened."""
        return Verified(0, 1)

    def attested(self) -> tuple[AttestedFile, ...]:
        return self._entry.attested()

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Nothing: `select` reads the copy by its path."""

    def register(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        columns: Sequence[str] | None = None,
        partitions: Sequence[str] | None = None,
    ) -> None:
        """With `columns` only these cross the network, and no copy is left here."""
        if columns is None:
            super().register(connection, name, None, partitions)
        else:
            connection.register(name, self.batches(columns, partitions))

    def partitions(self) -> tuple[str, ...]:
        if self._entry.partition_column is None:
            return ()
        return tuple(sorted(key for key, rows in self._entry.partitions.items() if rows))

    def paths(self) -> tuple[Path, ...]:
        if not self._entry.rows:
            return ()
        name = f"snowflake/{self._session.database}/{self._table}.parquet"
        return (self._copies.get(name, self._copy),)

    def select(self, columns: Sequence[str], partitions: Sequence[str] | None = None) -> str:
        paths = self.paths()
        if not paths:
            return self._empty(columns)
        query = parquet_query(paths, columns)
        column = self._entry.partition_column
        if partitions is None or column is None:
            return query
        if not partitions:
            return self._empty(columns)
        return f"{query} WHERE {days_condition(column, self._columns[column], partitions)}"

    def _stream(
        self, columns: Sequence[str], partitions: Sequence[str] | None, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """The rows as Snowflake sends them: only these columns and partitions cross the network."""
        statement = f"SELECT {names(columns)} FROM {self._table}"
        column = self._entry.partition_column
        if partitions is not None and column is not None:
            statement += f" WHERE {in_days(column, self._columns[column], partitions)}"
        try:
            for chunk in self._session.arrow(statement):
                yield from chunk.cast(schema).to_batches(max_chunksize=ROWS_PER_BATCH)
        except Missing as problem:
            version = self._version
            raise NotPublished(
                f"version {version.number} of {version.product} is no longer in the "
                f"{version.store}: it expired, or the role may not read {self._table}. Open the "
                "current one."
            ) from problem

    def _copy(self, target: Path) -> None:
        rows = write_parquet(
            target, self.schema, self._stream(self.schema.names, None, self.schema)
        )
        if rows != self._entry.rows:
            raise OSError(
                f"{self._table} sent {rows} rows instead of {self._entry.rows}; read it again"
            )
