"""A pinned version of a product in the lake.

Belongs here: finding the version's files and the SQL that reads them with the version's schema.
Does not belong here: streaming and views (`stores/reading/sql_snapshot.py`), committing (`commit.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pyiceberg.manifest import DataFile

from shared_resources.evidence.statement import AttestedFile
from shared_resources.sql import quote_identifier, quote_literal
from shared_resources.stores.intact import PublishedFile, check_files, damaged
from shared_resources.stores.lake.files.local import LakeFiles
from shared_resources.stores.lake.files.manifests import attested_files, live_files, partition_of
from shared_resources.stores.lake.schema import columns_of_schema, schema_of, written_names
from shared_resources.stores.lake.table_facts import AnyTable, SnapshotFacts
from shared_resources.stores.protocol import UNPARTITIONED, Verified, Version
from shared_resources.stores.reading.sql_snapshot import SqlSnapshot
from shared_resources.stores.staging.fingerprints import digest_in

if TYPE_CHECKING:
    import duckdb


class LakeSnapshot(SqlSnapshot):
    """Holds the table's metadata of the moment it was opened; its files are immutable."""

    def __init__(
        self, table: AnyTable, snapshot: SnapshotFacts, version: Version, place: LakeFiles
    ) -> None:
        self._table = table
        self._place = place
        self._snapshot = snapshot
        schema = schema_of(table, snapshot)
        self._ids = {field.name: field.field_id for field in schema.fields}
        super().__init__(version, columns_of_schema(schema))

    @cached_property
    def files(self) -> tuple[DataFile, ...]:
        files = live_files(self._table, self._snapshot).values()
        rows = sum(file.record_count for file in files)
        if rows != self._version.rows:
            problem = f"lists files of {rows:,} rows instead of {self._version.rows:,}"
            raise damaged(self._version, self._snapshot.manifest_list, problem)
        return tuple(sorted(files, key=lambda file: file.file_path))

    def of(self, files: Iterable[DataFile]) -> LakeSnapshot:
        """The same version of nothing but these files: a part of it, or its rows written anew."""
        part = LakeSnapshot(self._table, self._snapshot, self.version, self._place)
        part.files = tuple(sorted(files, key=lambda file: file.file_path))
        return part

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Nothing to attach: the files are named in the statement."""

    def partitions(self) -> tuple[str, ...]:
        keys = {partition_of(file) for file in self.files}
        return tuple(sorted(keys - {UNPARTITIONED}))

    def paths(self) -> tuple[Path, ...]:
        return tuple(self._local(self.files))

    def check(self) -> None:
        """Raise `Damaged` unless every file that lies here is whole; others are when they are read."""
        if self._place.adopts:
            self._local(self.files)

    def verify(self) -> Verified:
        """Compare every byte of the files, wherever they lie."""
        compared, problems = 0, []
        for file in self.files:
            expected = digest_in(file.file_path)
            if expected is None:
                continue
            compared += 1
            try:
                found = self._place.sha256(file)
            except OSError as problem:
                problems.append(f"{file.file_path} cannot be read ({problem})")
                continue
            if found != expected:
                problems.append(
                    f"{file.file_path} has the SHA-256 {found[:12]}…, published was {expected[:12]}…"
                )
        return Verified(compared, len(self.files) - compared, tuple(problems))

    def attested(self) -> tuple[AttestedFile, ...]:
        return attested_files(self.files)

    def _local(self, files: Sequence[DataFile]) -> list[Path]:
        """Raises `Damaged`."""
        paths = self._place.local(files)
        check_files(
            self._version,
            (
                PublishedFile(path, file.file_size_in_bytes, file.record_count, file.file_path)
                for path, file in zip(paths, files, strict=True)
            ),
        )
        return paths

    def select(self, columns: Sequence[str], partitions: Sequence[str] | None = None) -> str:
        asked = None if partitions is None else set(partitions)
        files = [f for f in self.files if asked is None or partition_of(f) in asked]
        if not files:
            return self._empty(columns)
        paths, evolved = self._local(files), len(self._table.metadata.schemas) > 1
        queries = []
        for called, group in self._as_called(files, paths):
            # What a file holds is known from the manifest: a column that it lacks is null.
            held = set[int]().union(*(file.value_counts for file, _ in group))
            sources = [called.get(self._ids[name], name) for name in columns]
            expressions = ", ".join(
                self._expression(name, source if self._ids[name] in held else None, cast=evolved)
                for name, source in zip(columns, sources, strict=True)
            )
            listed = ", ".join(quote_literal(str(path)) for _, path in group)
            # `partition=` in our paths is for people: the rows carry the column themselves.
            options = "hive_partitioning = false"
            if evolved:
                options += ", union_by_name = true"
            queries.append(f"SELECT {expressions} FROM read_parquet([{listed}], {options})")  # noqa: S608
        return " UNION ALL ".join(queries)

    @property
    def renamed(self) -> bool:
        return any(called for called, _ in self._as_called(self.files, self.paths()))

    def _as_called(
        self, files: Sequence[DataFile], paths: Sequence[Path]
    ) -> list[tuple[dict[int, str], list[tuple[DataFile, Path]]]]:
        """The files, together where they call columns alike: by field what they call those that are not
        called as in the version."""
        names = {of: name for name, of in self._ids.items()}
        schemas = self._table.metadata.schemas
        if all(names.get(f.field_id, f.name) == f.name for one in schemas for f in one.fields):
            return [({}, [*zip(files, paths, strict=True)])]
        found: dict[tuple[tuple[int, str], ...], list[tuple[DataFile, Path]]] = {}
        for file, path in zip(files, paths, strict=True):
            called = written_names(schemas, file, path)
            others = {of: name for of, name in called.items() if names.get(of, name) != name}
            found.setdefault(tuple(sorted(others.items())), []).append((file, path))
        return [(dict(called), group) for called, group in found.items()]

    def _expression(self, name: str, source: str | None, *, cast: bool) -> str:
        quoted, held = quote_identifier(name), quote_identifier(source) if source else "NULL"
        if held == quoted and not cast:
            return quoted
        return f"CAST({held} AS {self._columns[name]}) AS {quoted}"
