"""A pinned version that DuckDB reads: what the snapshots of the lake and the warehouse share.

Belongs here: streaming, registering as a view, the typed empty version.
Does not belong here: which files a version has and how to select from them (the stores' snapshots).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.contracts.types import ColumnType, arrow_schema
from shared_resources.evidence.statement import AttestedFile
from shared_resources.sql import quote_identifier
from shared_resources.stores.protocol import Snapshot, Verified, Version
from shared_resources.stores.reading.duck import in_memory

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

ROWS_PER_BATCH = 65_536


def no_such_column(snapshot: Snapshot, unknown: Sequence[str]) -> str:
    """What a reader is told who asks for columns that the version does not have."""
    version, former = snapshot.version, getattr(snapshot, "former", {})
    said = [f"{name} is called {former[name]} now" for name in unknown if name in former]
    return (
        f"{version.product} version {version.number} has no column {', '.join(unknown)}; "
        + "".join(f"{one}; " for one in said)
        + f"it has {', '.join(snapshot.schema.names)}"
    )


class SqlSnapshot(ABC):
    """Implements `protocol.Snapshot` on top of one SELECT over immutable files.

    A store that `streams_columns` registers some of them by streaming them, and copies nothing.
    """

    streams_columns = False

    def __init__(self, version: Version, columns: Sequence[tuple[str, ColumnType]]) -> None:
        self._version = version
        self._columns = dict(columns)

    @property
    def version(self) -> Version:
        return self._version

    @property
    def columns(self) -> Sequence[tuple[str, ColumnType]]:
        return tuple(self._columns.items())

    @property
    def renamed(self) -> bool:
        return False

    @cached_property
    def schema(self) -> pa.Schema:
        return arrow_schema(tuple(self._columns.items()))

    def batches(
        self, columns: Sequence[str] | None = None, partitions: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """Stream the rows. Raises `KeyError` for a column that the version does not have."""
        import pyarrow as pa

        wanted = self._wanted(columns)
        schema = pa.schema([self.schema.field(name) for name in wanted])
        return pa.RecordBatchReader.from_batches(schema, self._stream(wanted, partitions, schema))

    def register(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        columns: Sequence[str] | None = None,
        partitions: Sequence[str] | None = None,
    ) -> None:
        """Create the temporary view `name`; an earlier one of that name is replaced."""
        self.attach(connection)
        select = self.select(self._wanted(columns), partitions)
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {quote_identifier(name)} AS {select}")

    @abstractmethod
    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make what `select` names known to the connection, read-only; harmless when done twice."""

    @abstractmethod
    def select(self, columns: Sequence[str], partitions: Sequence[str] | None = None) -> str:
        """The statement that reads these columns (of these partitions), in this order."""

    def unattached(self, columns: Sequence[str]) -> str:
        """The statement that reads these columns on any connection of a stock DuckDB on this machine,
        with nothing attached: what a view is made of that outlives the connection."""
        return self.select(columns)

    @abstractmethod
    def partitions(self) -> tuple[str, ...]: ...

    @abstractmethod
    def paths(self) -> tuple[Path, ...]: ...

    @abstractmethod
    def attested(self) -> tuple[AttestedFile, ...]: ...

    @abstractmethod
    def verify(self) -> Verified: ...

    def _wanted(self, columns: Sequence[str] | None) -> list[str]:
        if columns is None:
            return list(self._columns)
        if unknown := [name for name in columns if name not in self._columns]:
            raise KeyError(no_such_column(self, unknown))
        return list(columns)

    def _stream(
        self, columns: Sequence[str], partitions: Sequence[str] | None, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        from shared_resources.contracts.values.duckdb_to_arrow import arrow_batches

        with in_memory() as connection:
            self.attach(connection)
            rows = connection.sql(self.select(columns, partitions))
            for batch in arrow_batches(rows, ROWS_PER_BATCH):
                yield batch if batch.schema == schema else batch.cast(schema)

    def _empty(self, columns: Sequence[str]) -> str:
        nulls = ", ".join(
            f"CAST(NULL AS {self._columns[name]}) AS {quote_identifier(name)}" for name in columns
        )
        return f"SELECT {nulls} WHERE false"
