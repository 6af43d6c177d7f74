"""A pinned version of a product in the warehouse.

Belongs here: attaching the version's files and the SQL over them.
Does not belong here: streaming and views (`stores/reading/sql_snapshot.py`), publishing (`store.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.evidence.statement import AttestedFile
from shared_resources.stores.embedded_warehouse.files import (
    attach_statement,
    count_statement,
    file_query,
    unattached_queries,
)
from shared_resources.stores.embedded_warehouse.manifest import Manifest
from shared_resources.stores.intact import PublishedFile, check_files, damaged
from shared_resources.stores.protocol import Verified, Version
from shared_resources.stores.reading.sql_snapshot import SqlSnapshot
from shared_resources.stores.staging.fingerprints import sha256_of

if TYPE_CHECKING:
    import duckdb


class WarehouseSnapshot(SqlSnapshot):
    """A manifest names everything that it needs, and neither it nor its files ever change."""

    def __init__(self, folder: Path, manifest: Manifest, version: Version) -> None:
        super().__init__(version, manifest.types)
        self._folder = folder
        self._manifest = manifest

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        import duckdb

        for file in self._manifest.files:
            path = self._folder / file.path
            try:
                connection.execute(attach_statement(path))
            except duckdb.Error as problem:
                raise damaged(
                    self._version, str(path), f"cannot be opened ({problem})"
                ) from problem
            if file.whole:
                self._check_rows(connection, path, file.rows)

    def _check_rows(self, connection: duckdb.DuckDBPyConnection, path: Path, rows: int) -> None:
        ((found,),) = connection.execute(count_statement(path)).fetchall()
        if found != rows:
            problem = f"has {found:,} rows instead of {rows:,}"
            raise damaged(self._version, str(path), problem)

    def check(self) -> None:
        """Raise `Damaged` unless every file is there in its size; rows are counted when it is read."""
        files = self._manifest.files
        check_files(self._version, (PublishedFile(self._folder / f.path, f.size) for f in files))

    def verify(self) -> Verified:
        """Compare every byte of the files."""
        problems = []
        known = [(file, file.sha256) for file in self._manifest.files if file.sha256 is not None]
        for file, expected in known:
            try:
                found = sha256_of(self._folder / file.path)
            except OSError as problem:
                problems.append(f"{self._folder / file.path} cannot be read ({problem})")
                continue
            if found != expected:
                problems.append(
                    f"{self._folder / file.path} has the SHA-256 {found[:12]}…, published was "
                    f"{expected[:12]}…"
                )
        return Verified(len(known), len(self._manifest.files) - len(known), tuple(problems))

    def attested(self) -> tuple[AttestedFile, ...]:
        return self._manifest.attested()

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

    def unattached(self, columns: Sequence[str]) -> str:
        wanted = [(name, self._columns[name]) for name in columns]
        queries = unattached_queries(
            self._folder, self._manifest.files, wanted, self._manifest.partition_column
        )
        return " UNION ALL ".join(queries) if queries else self._empty(columns)
