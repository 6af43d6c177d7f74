"""A published version in the names that the contract has now, whatever it was published with.

Belongs here: a snapshot whose columns are called otherwise, or are there under two names.
Does not belong here: which names those are (`contracts/promise.py`), what a reader may see (`access/`).

A version never changes: who pinned one from before a rename, or reads one that a rollback brought back,
finds it under the present names, and under the former ones that are still served.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import aliases, shown
from shared_resources.evidence.statement import AttestedFile
from shared_resources.sql import quote_identifier
from shared_resources.stores.protocol import Snapshot, Verified
from shared_resources.stores.reading.sql_snapshot import SqlSnapshot

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


@runtime_checkable
class Wrapping(Protocol):
    """A snapshot of a store's that is another one under a name of its own."""

    def in_names(self, called: Mapping[str, str], former: Mapping[str, str]) -> Snapshot: ...


def in_names_of(contract: Contract, snapshot: Snapshot, *, with_aliases: bool = True) -> Snapshot:
    """The version as the contract calls its columns, and by default as readers are given them, too."""
    if not any(column.former for column in contract.columns):
        return snapshot
    published = snapshot.schema.names
    called = shown(contract, published)
    if not with_aliases:
        served = aliases(contract)
        called = {new: old for new, old in called.items() if new not in served}
    former = {one.name: column.name for column in contract.columns for one in column.former}
    if isinstance(snapshot, SqlSnapshot):
        return CalledSnapshot(snapshot, called, former)
    assert isinstance(snapshot, Wrapping), f"{type(snapshot)} cannot be called otherwise"
    return snapshot.in_names(called, former)


def held_names(snapshot: Snapshot) -> Mapping[str, str]:
    """By each column's shown name the one that the store has it under; empty where they are alike."""
    return snapshot.called if isinstance(snapshot, CalledSnapshot) else {}


class CalledSnapshot(SqlSnapshot):
    """Implements `protocol.Snapshot`. `called` has, by the name of each column, the one in the store;
    `former`, by the name that a column had, the one that it has."""

    def __init__(
        self, snapshot: SqlSnapshot, called: Mapping[str, str], former: Mapping[str, str]
    ) -> None:
        types = dict(snapshot.columns)
        super().__init__(snapshot.version, [(name, types[of]) for name, of in called.items()])
        self._held = snapshot
        self.called = called
        self.former = former

    @property
    def renamed(self) -> bool:
        return self._held.renamed or any(name != of for name, of in self.called.items())

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._held.attach(connection)

    def register(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        columns: Sequence[str] | None = None,
        partitions: Sequence[str] | None = None,
    ) -> None:
        if self._held.streams_columns and columns is not None:
            connection.register(name, self.batches(columns, partitions))
        else:
            super().register(connection, name, columns, partitions)

    def select(self, columns: Sequence[str], partitions: Sequence[str] | None = None) -> str:
        return self._named(columns, self._held.select(self._of(columns), partitions))

    def unattached(self, columns: Sequence[str]) -> str:
        return self._named(columns, self._held.unattached(self._of(columns)))

    def _named(self, columns: Sequence[str], select: str) -> str:
        named = ", ".join(
            f"{quote_identifier(self.called[name])} AS {quote_identifier(name)}" for name in columns
        )
        return f"SELECT {named} FROM ({select})"  # noqa: S608

    def partitions(self) -> tuple[str, ...]:
        return self._held.partitions()

    def paths(self) -> tuple[Path, ...]:
        return self._held.paths()

    def attested(self) -> tuple[AttestedFile, ...]:
        return self._held.attested()

    def verify(self) -> Verified:
        return self._held.verify()

    def _of(self, columns: Sequence[str]) -> list[str]:
        return list(dict.fromkeys(self.called[name] for name in columns))

    def _stream(
        self, columns: Sequence[str], partitions: Sequence[str] | None, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in self._held.batches(self._of(columns), partitions):
            arrays = [batch.column(self.called[name]) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
