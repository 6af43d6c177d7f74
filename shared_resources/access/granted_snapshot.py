"""A published version as a grant shows it: its columns, behind its masks, of its rows.

Belongs here: the one `Snapshot` that is handed to who may not see a product whole.
Does not belong here: what is granted (`grants.py`), the statement that shows it (`granted_sql.py`).

Conditions look at the values as they were published, masks are applied to what they let through. The
statement runs on a connection of its own, which nobody is handed; no path, view or database of the
version is shown to a reader, as each of them shows more than is granted. Nothing of it can be pickled:
another process opens the door by itself. What lies behind it is no attribute of it, so that code that is
handed one can neither reach past it nor change what it shows; it is a lock for honest code, as whoever
may run code in a process may read that process's memory.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from weakref import WeakKeyDictionary

from shared_resources.access.dear_masks import DearMask, is_dear, together
from shared_resources.access.granted_sql import columns_needed, fitting, granted_sql, types_of
from shared_resources.access.grants import Grant
from shared_resources.access.terms import Terms
from shared_resources.contracts.types import ColumnType, arrow_schema
from shared_resources.evidence.statement import AttestedFile
from shared_resources.evidence.terms import HeldAgreement
from shared_resources.problems import MeshProblem
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

    def __reduce__(self) -> NoReturn:
        raise TypeError("the masking key stays in its process")


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

    __slots__ = ("__weakref__", "grant", "held", "version")

    version: Version
    grant: str
    held: HeldAgreement

    def __init__(self, snapshot: Snapshot, grant: Grant, secret: Secrets, noted: Noted) -> None:
        assert grant.terms is not None
        types = types_of(snapshot)
        terms = fitting(grant.terms, types, snapshot.version)
        _behind[self] = _Behind(snapshot, terms, types, secret, noted)
        object.__setattr__(self, "version", snapshot.version)
        object.__setattr__(self, "grant", grant.said)
        object.__setattr__(self, "held", grant.held)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name!r}: what an agreement grants is not changed by its reader")

    @property
    def schema(self) -> pa.Schema:
        behind = _behind[self]
        return arrow_schema(tuple((name, behind.types[name]) for name in behind.terms.columns))

    def partitions(self) -> tuple[str, ...]:
        return _behind[self].snapshot.partitions()

    def attested(self) -> tuple[AttestedFile, ...]:
        """None: a version is attested by who has its files."""
        return ()

    def verify(self) -> Verified:
        return _behind[self].snapshot.verify()

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

    def paths(self) -> tuple[Path, ...]:
        """None: each of the files holds more than is granted."""
        return ()

    @property
    def renamed(self) -> bool:
        return False  # no file of it is shown

    def _wanted(self, columns: Sequence[str] | None) -> list[str]:
        shown = _behind[self].terms.columns
        if columns is None:
            return list(shown)
        unknown = [name for name in columns if name not in shown]
        if unknown:
            raise KeyError(
                f"{self.version.product} version {self.version.number} shows its reader no column "
                f"{', '.join(unknown)}; it shows {', '.join(shown)}"
            )
        return list(columns)

    def _stream(
        self, columns: Sequence[str], partitions: Sequence[str] | None, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        import duckdb
        import pyarrow as pa

        from shared_resources.contracts.values.duckdb_to_arrow import arrow_batches

        behind = _behind[self]
        ended, given, failed = behind.noted(columns), 0, ""
        try:
            with behind.rows(columns, partitions) as rows:
                for batch in behind.masked(arrow_batches(rows, ROWS_PER_BATCH), columns, schema):
                    yield batch
                    given += batch.num_rows
        except (duckdb.Error, pa.ArrowException) as problem:
            failed = type(problem).__name__
        finally:
            ended(given)
        if failed:  # here, where the error is no context: its text may show a value
            raise CannotBeShown(self.version, failed)

    def __reduce__(self) -> NoReturn:
        raise TypeError("what an agreement grants stays in its process; open the product there")


@dataclass(frozen=True)
class _Behind:
    """What a granted snapshot reads of, and how."""

    snapshot: Snapshot
    terms: Terms
    types: dict[str, ColumnType]
    secret: Secrets
    noted: Noted

    @contextmanager
    def rows(
        self, columns: Sequence[str], partitions: Sequence[str] | None
    ) -> Iterator[duckdb.DuckDBPyRelation]:
        needed = columns_needed(columns, self.terms)
        # What is dear is masked before anybody is given it, by `masked`.
        masks = {name: mask for name, mask in self.terms.masks.items() if not is_dear(mask)}
        terms = Terms(self.terms.columns, masks, self.terms.rows)
        with in_memory() as connection:
            self.snapshot.register(connection, _PUBLISHED, needed, partitions)
            yield connection.sql(granted_sql(columns, terms, self.types, _PUBLISHED))

    def masked(
        self, batches: Iterator[pa.RecordBatch], columns: Sequence[str], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """What the engine gave, behind the masks that it did not work out, in the schema's types."""
        import pyarrow as pa

        salt, secret = secrets.token_bytes(32), self.secret
        dear = {
            at: DearMask(self.terms.masks[name], self.types[name], secret.inner, secret.outer, salt)
            for at, name in enumerate(columns)
            if name in self.terms.masks and is_dear(self.terms.masks[name])
        }
        typed = (batch if batch.schema == schema else batch.cast(schema) for batch in batches)
        for group in together(typed, any(mask.looks_up for mask in dear.values())):
            shown = {at: mask([batch.column(at) for batch in group]) for at, mask in dear.items()}
            start = 0
            for batch in group:
                columns_ = [
                    shown[at].slice(start, batch.num_rows) if at in shown else column
                    for at, column in enumerate(batch.columns)
                ]
                yield pa.RecordBatch.from_arrays(columns_, schema=schema)
                start += batch.num_rows


# By the snapshot that is handed out, and gone with it.
_behind: WeakKeyDictionary[GrantedSnapshot, _Behind] = WeakKeyDictionary()
