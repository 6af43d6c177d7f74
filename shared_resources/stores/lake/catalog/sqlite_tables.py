"""pyiceberg's catalog of the local lake, with which tables are changed.

Belongs here: its commits, whose files are on disk before they are named, and their marks.
Does not belong here: opening the file, and who only reads a table (`sqlite.py`).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import IcebergTables, SqlCatalog
from pyiceberg.exceptions import NamespaceNotEmptyError, NoSuchNamespaceError
from pyiceberg.io import FileIO
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import CommitTableResponse, Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.update import TableRequirement, TableUpdate
from pyiceberg.typedef import Identifier
from sqlalchemy.orm import Session

from shared_resources.stores.lake.catalog.commit_marks import mark_committed
from shared_resources.stores.lake.catalog.local_file_io import LocalFileIO
from shared_resources.stores.lake.catalog.read_once import ReadOnce

MOST_READ = 4  # a process changes few tables at a time


class SqliteTables(SqlCatalog):
    """pyiceberg's catalog `name`, whose files are on disk before a commit names them."""

    def __init__(
        self, name: str, file: Path, warehouse: Path, identity: tuple[object, ...], busy: int
    ) -> None:
        self.identity = identity
        self._read: ReadOnce[TableMetadata] = ReadOnce(MOST_READ)
        uri = f"sqlite:///{file}?timeout={busy}"
        super().__init__(name, uri=uri, warehouse=str(warehouse))

    def commit_table(
        self,
        table: Table,
        requirements: tuple[TableRequirement, ...],
        updates: tuple[TableUpdate, ...],
    ) -> CommitTableResponse:
        committed = super().commit_table(table, requirements, updates)
        mark_committed(self._load_file_io(), committed.metadata_location)
        self._read.keep(committed.metadata_location, committed.metadata)
        return committed

    def load_table(self, identifier: str | Identifier) -> Table:
        """As pyiceberg's, whose every commit reads again what it is made on."""
        name = Catalog.identifier_to_tuple(identifier)
        *domain, table = name
        row = self._row(Catalog.namespace_to_string(tuple(domain)), table)
        with Session(self.engine) as session:
            found = session.scalar(sa.select(IcebergTables.metadata_location).where(row))
        if found is None:
            return super().load_table(identifier)  # which says what is wrong
        return self.at(name, found)

    def at(self, name: Identifier, metadata: str) -> Table:
        if (known := self.known_at(name, metadata)) is not None:
            return known
        read = table_at(name, metadata, self._load_file_io(), self)
        self._read.keep(metadata, read.metadata)
        return read

    def known_at(self, name: Identifier, metadata: str) -> Table | None:
        """The table of a metadata file that this process has read or written; None of any other."""
        known = self._read.get(metadata)
        return None if known is None else Table(name, known, metadata, self._load_file_io(), self)

    def point(self, domain: str, name: str, metadata: str) -> None:
        with Session(self.engine) as session:
            session.execute(sa.delete(IcebergTables).where(self._row(domain, name)))
            made = self._create_table_row(domain, name, metadata)
            session.execute(sa.insert(IcebergTables).values(**made))
            session.commit()

    def forget(self, domain: str, name: str) -> None:
        with Session(self.engine) as session:
            session.execute(sa.delete(IcebergTables).where(self._row(domain, name)))
            session.commit()
        if self.namespace_exists((domain,)) and not self.list_tables((domain,)):
            with suppress(NoSuchNamespaceError, NamespaceNotEmptyError):  # another was faster
                self.drop_namespace((domain,))

    def _row(self, domain: str, name: str) -> sa.ColumnElement[bool]:
        return sa.and_(
            IcebergTables.catalog_name == self.name,
            IcebergTables.table_namespace == domain,
            IcebergTables.table_name == name,
        )

    def _load_file_io(self, properties: Any = None, location: str | None = None) -> LocalFileIO:
        return LocalFileIO()


def table_at(name: Identifier, metadata: str, io: FileIO, catalog: Catalog) -> Table:
    read = FromInputFile.table_metadata(io.new_input(metadata))
    return Table(name, read, metadata, io, catalog)
