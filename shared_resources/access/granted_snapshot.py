"""A published version as a grant shows it: its columns, behind its masks, of its rows.

Belongs here: the one `Snapshot` that is handed to who may not see a product whole.
Does not belong here: deciding what is granted (`grants.py`), the masks' SQL (`contracts/roles/`).

Conditions look at the values as they were published, masks are applied to what they let through. The
statement runs on a connection of its own, which nobody is handed; no path, view or database of the
version is shown to a reader, as each of them shows more than is granted. Nothing of it can be pickled:
another process opens the door by itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from shared_resources.access.grants import Grant, NoAgreement
from shared_resources.access.terms import Terms
from shared_resources.contracts.roles.conditions import condition_sql
from shared_resources.contracts.roles.masks import INNER_KEY, KEYED_HASH, OUTER_KEY, SALT, masked
from shared_resources.contracts.roles.model import columns_of
from shared_resources.contracts.types import ColumnType, arrow_schema
from shared_resources.contracts.values.comparing import column_type
from shared_resources.evidence.statement import AttestedFile
from shared_resources.problems import MeshProblem
from shared_resources.sql import quote_identifier
from shared_resources.stores.protocol import Snapshot, Verified, Version
from shared_resources.stores.reading.duck import in_memory
from shared_resources.stores.reading.sql_snapshot import ROWS_PER_BATCH

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_PUBLISHED = "published"
# Says that somebody begins to read these columns; what it returns is told how many rows he was given.
Noted = Callable[[Sequence[str]], Callable[[int], None]]


@dataclass(frozen=True)
class Secrets:
    """The halves of the masking key, empty where no mask needs it."""

    inner: bytes = b""
    outer: bytes = b""

    def __repr__(self) -> str:
        return "Secrets(…)"


class CannotBeShown(MeshProblem):
    """The engine could not make of the version what is granted."""

    def __init__(self, version: Version, error: str) -> None:
        super().__init__(
            f"{version.product} version {version.number} cannot be shown as the agreement says: the "
            f"engine gave a {error}, whose text may hold values. Its owner sees it whole; tell him"
        )


class GrantedSnapshot:
    """Implements `protocol.Snapshot`. Raises `NoAgreement` when made of a version that the terms do
    not fit: what they name in their conditions or mask is not there, or of another type."""

    def __init__(self, snapshot: Snapshot, grant: Grant, secret: Secrets, noted: Noted) -> None:
        assert grant.terms is not None
        self.version: Version = snapshot.version
        types = _types(snapshot)
        terms = _fitting(grant.terms, types, self.version)
        self._columns = {name: types[name] for name in terms.columns}
        self._noted = noted
        self.grant = grant.said
        # In closures, so that no attribute leads to what lies behind the door.
        self._partitions: Callable[[], tuple[str, ...]] = lambda: snapshot.partitions()
        self._verify: Callable[[], Verified] = lambda: snapshot.verify()
        self._rows: Callable[[Sequence[str], Sequence[str] | None], _Opened] = _rows_of(
            snapshot, terms, types, secret
        )

    @property
    def schema(self) -> pa.Schema:
        return arrow_schema(tuple(self._columns.items()))

    def batches(
        self, columns: Sequence[str] | None = None, partitions: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """Stream the rows. Raises `KeyError` for a column that is not granted."""
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
        """What is granted, in memory: a view would show where the rest lies."""
        connection.register(name, self.batches(columns, partitions).read_all())

    def partitions(self) -> tuple[str, ...]:
        return self._partitions()

    def verify(self) -> Verified:
        return self._verify()

    def attested(self) -> tuple[AttestedFile, ...]:
        """None, as of its paths."""
        return ()

    def paths(self) -> tuple[Path, ...]:
        """None: each of the files holds more than is granted."""
        return ()

    def _wanted(self, columns: Sequence[str] | None) -> list[str]:
        if columns is None:
            return list(self._columns)
        unknown = [name for name in columns if name not in self._columns]
        if unknown:
            raise KeyError(
                f"{self.version.product} version {self.version.number} shows its reader no column "
                f"{', '.join(unknown)}; it shows {', '.join(self._columns)}"
            )
        return list(columns)

    def _stream(
        self, columns: Sequence[str], partitions: Sequence[str] | None, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        import duckdb

        from shared_resources.contracts.values.duckdb_to_arrow import arrow_batches

        ended, given = self._noted(columns), 0
        try:
            with self._rows(columns, partitions) as rows:
                for batch in arrow_batches(rows, ROWS_PER_BATCH):
                    yield batch if batch.schema == schema else batch.cast(schema)
                    given += batch.num_rows
        except duckdb.Error as problem:
            # Its text may show a value, which the reader may not see.
            raise CannotBeShown(self.version, type(problem).__name__) from None
        finally:
            ended(given)

    def __reduce__(self) -> NoReturn:
        raise TypeError("what an agreement grants stays in its process; open the product there")


_Opened = AbstractContextManager["duckdb.DuckDBPyRelation"]


def _rows_of(
    snapshot: Snapshot, terms: Terms, types: dict[str, ColumnType], secret: Secrets
) -> Callable[[Sequence[str], Sequence[str] | None], _Opened]:
    looked_at: frozenset[str] = frozenset().union(*(columns_of(r.condition) for r in terms.rows))

    @contextmanager
    def opened(
        columns: Sequence[str], partitions: Sequence[str] | None
    ) -> Iterator[duckdb.DuckDBPyRelation]:
        needed = list(dict.fromkeys((*columns, *sorted(looked_at))))
        with in_memory() as connection:
            for name, value in ((INNER_KEY, secret.inner), (OUTER_KEY, secret.outer)):
                connection.execute(f"SET VARIABLE {name} = ?", [value])
            connection.execute(f"SET VARIABLE {SALT} = ?", [secrets.token_bytes(32)])
            snapshot.register(connection, _PUBLISHED, needed, partitions)
            yield connection.sql(_select(columns, terms, types))

    return opened


def _select(columns: Sequence[str], terms: Terms, types: dict[str, ColumnType]) -> str:
    shown = ", ".join(_shown(name, terms, types) for name in columns)
    where = " OR ".join(condition_sql(row.condition, types) for row in terms.rows)
    return f"SELECT {shown} FROM {_PUBLISHED}" + (f" WHERE {where}" if where else "")  # noqa: S608


def _shown(name: str, terms: Terms, types: dict[str, ColumnType]) -> str:
    column = quote_identifier(name)
    mask = terms.masks.get(name)
    return column if mask is None else f"{masked(column, types[name], mask)} AS {column}"


def _types(snapshot: Snapshot) -> dict[str, ColumnType]:
    types = {field.name: column_type(field.type) for field in snapshot.schema}
    return {name: type_ for name, type_ in types.items() if type_ is not None}


def _fitting(terms: Terms, types: dict[str, ColumnType], version: Version) -> Terms:
    """The terms for a version that may be older or newer than the contract that names its roles."""
    of = f"{version.product} version {version.number}"
    for row in terms.rows:
        for name, type_ in row.types.items():
            if types.get(name) is None or types[name].family is not type_.family:
                raise NoAgreement(
                    f"{of} cannot be read: it is shown where `{row.text}`, and its column {name!r} is "
                    "not what the contract says; read another version"
                )
    columns = tuple(name for name in terms.columns if name in types)
    if not columns:
        raise NoAgreement(f"{of} has none of the columns that are granted; read another version")
    for name in columns:
        mask = terms.masks.get(name)
        if mask is None:
            continue
        try:
            masked(quote_identifier(name), types[name], mask)
        except ValueError as problem:
            raise NoAgreement(
                f"{of} cannot be read: its column {name!r} is a {types[name].family}, which "
                f"{mask} does not mask; read another version"
            ) from problem
    return Terms(columns, terms.masks, terms.rows)


def needs_key(terms: Terms) -> bool:
    return any(mask.kind == KEYED_HASH for mask in terms.masks.values())
