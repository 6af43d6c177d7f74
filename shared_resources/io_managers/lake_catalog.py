"""The lake's catalog: which table is where, in one SQLite file that many processes share.

Belongs here: opening the catalog and loading a table from it.
Does not belong here: what a commit contains (`lake_commit.py`, `lake.py`).
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from filelock import FileLock
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchTableError
from pyiceberg.table import Table
from sqlalchemy.exc import IntegrityError

BUSY_SECONDS = 60
LOADS = 20


class LakeCatalog:
    """Opens lazily, once a process: a connection must not cross a fork."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._opened: dict[int, SqlCatalog] = {}

    def __getstate__(self) -> dict[str, object]:
        return {"root": self.root, "_opened": {}}

    @property
    def file(self) -> Path:
        return self.root / "catalog.db"

    def catalog(self) -> SqlCatalog:
        catalog = self._opened.get(os.getpid())
        if catalog is None:
            catalog = self._opened[os.getpid()] = self._open()
        return catalog

    def load(self, product: str) -> Table | None:
        """The table as it is now, or None when the product was never published."""
        if not self.file.exists():
            return None
        for attempt in range(LOADS):
            try:
                return self.catalog().load_table(identifier(product))
            except NoSuchTableError:
                return None
            except FileNotFoundError:
                # Between reading the pointer and the metadata that it names, others committed so
                # often that this metadata was cleaned up.
                if attempt == LOADS - 1:
                    raise
                time.sleep(0.01)
        return None

    def products(self) -> list[str]:
        if not self.file.exists():
            return []
        catalog = self.catalog()
        return sorted(
            "/".join(table)
            for namespace in catalog.list_namespaces()
            for table in catalog.list_tables(namespace)
        )

    def ensure_namespace(self, domain: str) -> None:
        catalog = self.catalog()
        if not catalog.namespace_exists((domain,)):
            with suppress(NamespaceAlreadyExistsError, IntegrityError):  # another was first
                catalog.create_namespace((domain,))

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


def identifier(product: str) -> tuple[str, str]:
    domain, _, name = product.partition("/")
    return domain, name
