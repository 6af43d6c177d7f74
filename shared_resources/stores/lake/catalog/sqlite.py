"""The local lake's catalog: a SQLite file that processes share.

Belongs here: opening it, and which metadata file a table is.
Does not belong here: what is asked of every catalog (`table_catalog.py`), AWS Glue (`glue.py`),
changing a table (`sqlite_tables.py`), which is imported by who does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from pyiceberg.exceptions import NamespaceAlreadyExistsError

from shared_resources.confinement.guard import refuse
from shared_resources.state.per_process import OncePerProcess
from shared_resources.state.read_only import copy_of, may_write, state_of
from shared_resources.state.sqlite_file import make_database
from shared_resources.stores.lake.catalog.described import DescribedTable, describe
from shared_resources.stores.lake.catalog.read_once import ReadOnce
from shared_resources.stores.lake.catalog.table_catalog import (
    BrokenCatalog,
    identifier,
    load_patiently,
)

if TYPE_CHECKING:
    from pyiceberg.io import FileIO
    from pyiceberg.partitioning import PartitionSpec
    from pyiceberg.schema import Schema
    from pyiceberg.table import CreateTableTransaction, Table

    from shared_resources.stores.lake.catalog.sqlite_tables import SqliteTables
    from shared_resources.stores.lake.table_facts import AnyTable

BUSY_SECONDS = 60
NAME = "lake"
MOST_READ = 32  # who looks through a mesh looks at each table a few times in a row
_METADATA = (
    "SELECT metadata_location FROM iceberg_tables "
    "WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?"
)
_Loaded = TypeVar("_Loaded")


class LakeCatalog:
    """Implements `TableCatalog` in SQLite, which is opened lazily."""

    def __init__(self, root: Path) -> None:
        refuse("opens the lake's catalog")
        self.root = root
        self._opened = OncePerProcess(self._open)
        self._read = OncePerProcess(lambda: ReadOnce[DescribedTable](MOST_READ))
        self._copied = OncePerProcess(self._copy)

    @property
    def name(self) -> str:
        return f"the lake's catalog {self.file}"

    @property
    def file(self) -> Path:
        return self.root / "catalog.db"

    def catalog(self) -> SqliteTables:
        """Of the file that is there now: another may have been put in its place."""
        with suppress(FileNotFoundError):
            if self._opened().identity != _identity(self.file):
                self._opened.forget()
        return self._opened()

    def load(self, product: str) -> Table | None:
        return self._loaded(product, lambda metadata: self.at(product, metadata))

    def described(self, product: str) -> AnyTable | None:
        return self._loaded(product, lambda metadata: self._described(product, metadata))

    def _loaded(self, product: str, load: Callable[[str], _Loaded]) -> _Loaded | None:
        def now() -> _Loaded | None:
            metadata = self._metadata_of(product)
            return None if metadata is None else load(metadata)

        if not self.file.exists():
            return None
        with _opening(product, self.file):
            return load_patiently(product, now)

    def _described(self, product: str, metadata: str) -> AnyTable:
        """Whoever changes the table has its metadata already."""
        opened, read = self._opened.already(), self._read()
        if opened and (known := opened.known_at(identifier(product), metadata)):
            return known
        return read.get(metadata) or read.keep(metadata, _described(metadata))

    def _metadata_of(self, product: str) -> str | None:
        """The metadata file that the table is, as pyiceberg wrote it down."""
        place = f"file:{quote(str(self._readable()))}?mode=rw"
        with closing(sqlite3.connect(place, timeout=BUSY_SECONDS, uri=True)) as connection:
            try:
                found = connection.execute(_METADATA, (NAME, *identifier(product))).fetchone()
            except sqlite3.OperationalError as problem:
                if "no such table" in str(problem):  # nobody has published anything here
                    return None
                raise
        return None if found is None else found[0]

    def _readable(self) -> Path:
        """The file; where this process may not write, a copy of what is there now."""
        if may_write(self.root):
            return self.file
        if self._copied()[0] != state_of(self.file):
            self._copied.forget()
        return self._copied()[1]

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

    def begin(self, product: str, metadata: str) -> bool:
        """Under the table's lock, which every process of the lake's folder takes."""
        if self.catalog().table_exists(identifier(product)):
            return False
        self.point(product, metadata)
        return True

    def drop(self, product: str) -> None:
        if self.file.exists():
            self.catalog().forget(*identifier(product))

    def _make_namespace(self, domain: str) -> None:
        catalog = self.catalog()
        if not catalog.namespace_exists((domain,)):
            from sqlalchemy.exc import IntegrityError

            with suppress(NamespaceAlreadyExistsError, IntegrityError):  # another was first
                catalog.create_namespace((domain,))

    def _copy(self) -> tuple[tuple[object, ...], Path]:
        return state_of(self.file), copy_of(self.file)

    def _open(self) -> SqliteTables:
        from filelock import FileLock

        from shared_resources.stores.lake.catalog.sqlite_tables import SqliteTables

        def opened(file: Path, identity: tuple[object, ...]) -> SqliteTables:
            return SqliteTables(NAME, file, self.root, identity, BUSY_SECONDS)

        if not may_write(self.root):
            file = self._readable()
            return opened(file, self._copied()[0])
        self.root.mkdir(parents=True, exist_ok=True)
        # Two processes that both find no tables would both create them, and one would fail.
        with FileLock(self.root / ".catalog.lock"):
            make_database(self.file, BUSY_SECONDS)
            return opened(self.file, _identity(self.file))


def _identity(file: Path) -> tuple[object, ...]:
    """What tells the file that was opened from one that took its place; of a copy, its content."""
    if not may_write(file.parent):
        return state_of(file)
    found = file.stat()
    return found.st_dev, found.st_ino


@contextmanager
def _opening(product: str, file: Path) -> Iterator[None]:
    """A catalog that is no database any more is every product's trouble, and each says so."""
    try:
        yield
    except Exception as problem:
        said = getattr(problem, "orig", problem)  # SQLAlchemy wraps what SQLite says
        if not isinstance(said, sqlite3.DatabaseError):
            raise
        if isinstance(said, sqlite3.OperationalError):
            raise  # it is locked, or the disk is full
        raise BrokenCatalog(
            product,
            file,
            f"cannot be read ({said})",
            "Put a copy of it back or move it away, and run `mesh repair`: it is made anew from the "
            "tables' own metadata",
        ) from problem


def _described(metadata: str) -> DescribedTable:
    def open_io() -> FileIO:
        from shared_resources.stores.lake.catalog.local_file_io import LocalFileIO

        return LocalFileIO()

    return describe(Path(metadata).read_bytes(), metadata, open_io)
