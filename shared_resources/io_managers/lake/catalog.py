"""The lake's catalog: which table is where. The local one is a SQLite file that processes share.

Belongs here: what the lake asks of a catalog; opening the local one and loading a table from it.
Does not belong here: AWS Glue (`catalog_glue.py`), what a commit contains (`commit.py`,
`store.py`).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Protocol

from filelock import FileLock
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchTableError
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import CreateTableTransaction, Table
from sqlalchemy.exc import IntegrityError

from shared_resources.per_process import OncePerProcess

BUSY_SECONDS = 60
LOADS = 20


class TableCatalog(Protocol):
    """Which table is where. Every method is safe to call from many processes."""

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

    def outcome_is_unknown(self, problem: Exception) -> bool:
        """Whether a commit that failed so may have been made all the same."""
        ...


class LakeCatalog:
    """Implements `TableCatalog` in SQLite, which is opened lazily."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.catalog = OncePerProcess(self._open)

    @property
    def file(self) -> Path:
        return self.root / "catalog.db"

    def load(self, product: str) -> Table | None:
        """The table as it is now, or None when the product was never published."""
        if not self.file.exists():
            return None
        return load_patiently(lambda: self.catalog().load_table(identifier(product)))

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
        if not catalog.namespace_exists((domain,)):
            with suppress(NamespaceAlreadyExistsError, IntegrityError):  # another was first
                catalog.create_namespace((domain,))
        return catalog.create_table_transaction(
            (domain, name),
            schema=schema,
            location=location,
            partition_spec=partition_spec,
            properties=dict(properties),
        )

    def owns_files(self, product: str) -> bool:
        return True  # the catalog lies in the lake's own folder

    def outcome_is_unknown(self, problem: Exception) -> bool:
        return False

    def _open(self) -> SqlCatalog:
        self.root.mkdir(parents=True, exist_ok=True)
        # Two processes that both find no tables would both create them, and one would fail.
        with FileLock(self.root / ".catalog.lock"):
            if not self.file.exists():
                with closing(sqlite3.connect(self.file, timeout=BUSY_SECONDS)) as connection:
                    connection.execute("PRAGMA journal_mode = WAL")
            return SqlCatalog(
                "lake",
                uri=f"sqlite:///{self.file}?timeout={BUSY_SECONDS}",
                warehouse=str(self.root),
            )


def load_patiently(load: Callable[[], Table]) -> Table | None:
    """The table, or None when there is none, while others commit."""
    for attempt in range(LOADS):
        try:
            return load()
        except NoSuchTableError:
            return None
        except FileNotFoundError:
            # Between reading the pointer and the metadata that it names, others committed so often
            # that this metadata was cleaned up.
            if attempt == LOADS - 1:
                raise
            time.sleep(0.01)
    return None


def identifier(product: str) -> tuple[str, str]:
    domain, _, name = product.partition("/")
    return domain, name
