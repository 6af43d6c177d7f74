"""The lake's catalog: which table is where. The local one is a SQLite file that processes share.

Belongs here: what the lake asks of a catalog; opening the local one and loading a table from it.
Does not belong here: AWS Glue (`glue.py`), what a commit contains (`stores/lake/commit.py`,
`stores/lake/store.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from filelock import FileLock
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import IcebergTables, SqlCatalog
from pyiceberg.exceptions import (
    NamespaceAlreadyExistsError,
    NoSuchTableError,
    ValidationError,
)
from pyiceberg.io import FileIO
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import CommitTableResponse, CreateTableTransaction, Table
from pyiceberg.table.update import TableRequirement, TableUpdate
from pyiceberg.typedef import Identifier
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from shared_resources.confinement.guard import refuse
from shared_resources.state.per_process import OncePerProcess
from shared_resources.state.read_only import copy_of, may_write, state_of
from shared_resources.state.sqlite_file import make_database
from shared_resources.stores.lake.catalog.commit_marks import mark_committed
from shared_resources.stores.lake.catalog.local_file_io import LocalFileIO
from shared_resources.stores.protocol import Unreadable

BUSY_SECONDS = 60
LOADS = 20


class BrokenCatalog(Unreadable):
    """The catalog itself is no catalog any more."""


class TableCatalog(Protocol):
    """Which table is where. Every method is safe to call from many processes.

    `name` is what messages call it.
    """

    @property
    def name(self) -> str: ...

    def load(self, product: str) -> Table | None:
        """The table as it is now, or None when the product was never published."""
        ...

    def products(self) -> list[str]:
        """The keys of all published products, sorted."""
        ...

    def begin_table(
        self,
        product: str,
        schema: Schema,
        location: str,
        partition_spec: PartitionSpec,
        properties: Mapping[str, str],
    ) -> CreateTableTransaction:
        """A transaction that creates the product's table when it is committed."""
        ...

    def owns_files(self, product: str) -> bool:
        """Whether what lies where the product's files are can be of no other catalog.

        Changes nothing. Raises `PublishError` when the place is another's.
        """
        ...

    def claim(self, product: str) -> None:
        """Raise `PublishError` unless what lies where the product's files are is this catalog's."""
        ...

    def outcome_is_unknown(self, problem: Exception) -> bool:
        """Whether a commit that failed so may have been made all the same."""
        ...

    def at(self, product: str, metadata: str) -> Table:
        """The table as this metadata file describes it, whatever the catalog says."""
        ...

    def point(self, product: str, metadata: str) -> None:
        """Make the table the one of this metadata file, whatever it was."""
        ...


class LakeCatalog:
    """Implements `TableCatalog` in SQLite, which is opened lazily."""

    def __init__(self, root: Path) -> None:
        refuse("opens the lake's catalog")
        self.root = root
        self._opened = OncePerProcess(self._open)

    @property
    def name(self) -> str:
        return f"the lake's catalog {self.file}"

    @property
    def file(self) -> Path:
        return self.root / "catalog.db"

    def catalog(self) -> _Sqlite:
        """Of the file that is there now: another may have been put in its place."""
        with suppress(FileNotFoundError):
            if self._opened().identity != _identity(self.file):
                self._opened.forget()
        return self._opened()

    def load(self, product: str) -> Table | None:
        """The table as it is now, or None when the product was never published."""
        if not self.file.exists():
            return None
        with _opening(product, self.file):
            return load_patiently(product, lambda: self.catalog().load_table(identifier(product)))

    def products(self) -> list[str]:
        if not self.file.exists():
            return []
        catalog = self.catalog()
        return sorted(
            "/".join(table)
            for namespace in catalog.list_namespaces()
            for table in catalog.list_tables(namespace)
        )

    def begin_table(
        self,
        product: str,
        schema: Schema,
        location: str,
        partition_spec: PartitionSpec,
        properties: Mapping[str, str],
    ) -> CreateTableTransaction:
        catalog, (domain, name) = self.catalog(), identifier(product)
        self._make_namespace(domain)
        return catalog.create_table_transaction(
            (domain, name),
            schema=schema,
            location=location,
            partition_spec=partition_spec,
            properties=dict(properties),
        )

    def owns_files(self, product: str) -> bool:
        return True  # the catalog lies in the lake's own folder

    def claim(self, product: str) -> None:
        """Nothing to do: see `owns_files`."""

    def outcome_is_unknown(self, problem: Exception) -> bool:
        return False

    def at(self, product: str, metadata: str) -> Table:
        return self.catalog().at(identifier(product), metadata)

    def point(self, product: str, metadata: str) -> None:
        catalog, (domain, name) = self.catalog(), identifier(product)
        self._make_namespace(domain)
        catalog.point(domain, name, metadata)

    def _make_namespace(self, domain: str) -> None:
        catalog = self.catalog()
        if not catalog.namespace_exists((domain,)):
            with suppress(NamespaceAlreadyExistsError, IntegrityError):  # another was first
                catalog.create_namespace((domain,))

    def _open(self) -> _Sqlite:
        if not may_write(self.root):
            identity = _identity(self.file)
            return _Sqlite(copy_of(self.file), self.root, identity)
        self.root.mkdir(parents=True, exist_ok=True)
        # Two processes that both find no tables would both create them, and one would fail.
        with FileLock(self.root / ".catalog.lock"):
            make_database(self.file, BUSY_SECONDS)
            return _Sqlite(self.file, self.root, _identity(self.file))


class _Sqlite(SqlCatalog):
    """pyiceberg's catalog, whose files are on disk before a commit names them."""

    def __init__(self, file: Path, warehouse: Path, identity: tuple[object, ...]) -> None:
        self.identity = identity
        uri = f"sqlite:///{file}?timeout={BUSY_SECONDS}"
        super().__init__("lake", uri=uri, warehouse=str(warehouse))

    def commit_table(
        self,
        table: Table,
        requirements: tuple[TableRequirement, ...],
        updates: tuple[TableUpdate, ...],
    ) -> CommitTableResponse:
        committed = super().commit_table(table, requirements, updates)
        mark_committed(self._load_file_io(), committed.metadata_location)
        return committed

    def at(self, name: Identifier, metadata: str) -> Table:
        return table_at(name, metadata, self._load_file_io(), self)

    def point(self, domain: str, name: str, metadata: str) -> None:
        row = sa.and_(
            IcebergTables.catalog_name == self.name,
            IcebergTables.table_namespace == domain,
            IcebergTables.table_name == name,
        )
        with Session(self.engine) as session:
            session.execute(sa.delete(IcebergTables).where(row))
            made = self._create_table_row(domain, name, metadata)
            session.execute(sa.insert(IcebergTables).values(**made))
            session.commit()

    def _load_file_io(self, properties: Any = None, location: str | None = None) -> LocalFileIO:
        return LocalFileIO()


def _identity(file: Path) -> tuple[object, ...]:
    """What tells the file that was opened from one that took its place; of a copy, its content."""
    if not may_write(file.parent):
        return state_of(file)
    found = file.stat()
    return found.st_dev, found.st_ino


def table_at(name: Identifier, metadata: str, io: FileIO, catalog: Catalog) -> Table:
    read = FromInputFile.table_metadata(io.new_input(metadata))
    return Table(name, read, metadata, io, catalog)


@contextmanager
def _opening(product: str, file: Path) -> Iterator[None]:
    """A catalog that is no database any more is every product's trouble, and each says so."""
    try:
        yield
    except OperationalError:
        raise  # it is locked, or the disk is full
    except DatabaseError as problem:
        raise BrokenCatalog(
            product,
            file,
            f"cannot be read ({problem.orig})",
            "Put a copy of it back or move it away, and run `mesh repair`: it is made anew from the "
            "tables' own metadata",
        ) from problem


def load_patiently(product: str, load: Callable[[], Table]) -> Table | None:
    """The table, or None when there is none, while others commit. Raises `Unreadable`."""
    for attempt in range(LOADS):
        try:
            return load()
        except NoSuchTableError:
            return None
        except FileNotFoundError as problem:
            # Between reading the pointer and the metadata that it names, others committed so often
            # that this metadata was cleaned up.
            if attempt == LOADS - 1:
                raise _unreadable(product, "the metadata that the catalog names", problem) from None
            time.sleep(0.01)
        except (ValidationError, UnicodeDecodeError) as problem:
            raise _unreadable(product, "the metadata that the catalog names", problem) from None
    return None


def _unreadable(product: str, file: str, problem: Exception) -> Unreadable:
    said = " ".join(str(problem).split())[:200]
    return Unreadable(
        product,
        file,
        f"cannot be read ({said})",
        f"`mesh repair {product} --dry-run` says which version can still be read whole; without "
        "the option the catalog is pointed at it",
    )


def identifier(product: str) -> tuple[str, str]:
    domain, _, name = product.partition("/")
    return domain, name
