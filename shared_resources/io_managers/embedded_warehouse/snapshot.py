"""A pinned version of a product in the warehouse.

Belongs here: attaching the version's files and the SQL over them.
Does not belong here: streaming and views (`sql_snapshot.py`), publishing (`store.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from shared_resources.io_managers.embedded_warehouse.files import attach_statement, file_query
from shared_resources.io_managers.embedded_warehouse.manifest import Manifest
from shared_resources.io_managers.protocol import Version
from shared_resources.io_managers.sql_snapshot import SqlSnapshot


class WarehouseSnapshot(SqlSnapshot):
    """A manifest names everything that it needs, and neither it nor its files ever change."""

    def __init__(self, folder: Path, manifest: Manifest, version: Version) -> None:
        super().__init__(version, manifest.types)
        self._folder = folder
        self._manifest = manifest

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        for path in self.paths():
            connection.execute(attach_statement(path))

    def partitions(self) -> tuple[str, ...]:
        return tuple(sorted(self._manifest.partition_keys))

    def paths(self) -> tuple[Path, ...]:
        return tuple(self._folder / file.path for file in self._manifest.files)

    def select(self, columns: Sequence[str], partitions: Sequence[str] | None = None) -> str:
        files = self._manifest.files
        if partitions is not None:
            asked = set(partitions)
            pruned = (
                replace(f, partitions={k: n for k, n in f.partitions.items() if k in asked})
                for f in files
            )
            files = tuple(file for file in pruned if file.partitions)
        wanted = [(name, self._columns[name]) for name in columns]
        queries = [
            file_query(self._folder, file, wanted, self._manifest.partition_column)
            for file in files
        ]
        return " UNION ALL ".join(queries) if queries else self._empty(columns)
