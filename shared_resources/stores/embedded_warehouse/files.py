"""The warehouse's database files: loading them once, and the SQL that reads them ever after.

Belongs here: building an immutable DuckDB file, selecting a version's rows from several of them.
Does not belong here: which files a version has (`manifest.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from shared_resources.contracts.promise import parse_type
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.sql import exact_path, parquet_rows, quote_identifier, quote_literal
from shared_resources.state.durable import sync_all
from shared_resources.stores.embedded_warehouse.manifest import DataFile
from shared_resources.stores.erased import Without, tell
from shared_resources.stores.reading.day_ranges import in_days
from shared_resources.stores.reading.duck import in_memory
from shared_resources.stores.staging.fingerprints import sha256_of

TABLE = "data"
# DuckDB's default block of 256 KiB would make half a megabyte of a day with ten rows.
SMALL_ROWS, SMALL_BLOCK = 100_000, 16_384


def build(
    target: Path,
    query: str,
    rows: int,
    attach: Iterable[Path] = (),
    without: Without | None = None,
) -> None:
    """Write the query's rows as the table `data` of a new file: complete, or not there at all.

    `attach` are files of the warehouse that the query reads under their `alias_of`, `without` rows that
    it knows by their condition.
    """
    loading = target.with_name(f"loading-{target.name}")
    options = f" (BLOCK_SIZE {SMALL_BLOCK})" if rows < SMALL_ROWS else ""
    with in_memory() as connection:
        connection.execute(f"SET temp_directory = {quote_literal(str(target.parent / 'spill'))}")
        # Keeping the order of the rows, which no contract promises, costs twice the memory, half as
        # much time again, and worse compression.
        connection.execute("SET preserve_insertion_order = false")
        if without is not None:
            tell(connection, without)
        for path in attach:
            connection.execute(attach_statement(path))
        connection.execute(f"ATTACH {quote_literal(str(loading))} AS target{options}")
        connection.execute(f"CREATE TABLE target.{TABLE} AS {query}")
        connection.execute("CHECKPOINT target")
        connection.execute("DETACH target")
    loading.rename(target)
    sync_all([target], target.parents[3])  # data/<batch>/<attempt> below the product's folder


def merge(
    folder: Path,
    target: Path,
    files: Sequence[DataFile],
    columns: Sequence[tuple[str, ColumnType]],
    partition_column: str | None,
) -> DataFile:
    """Write the rows of several files below `folder` as one new file, in these columns."""
    partitions: dict[str, int] = {}
    for file in files:
        for key, rows in file.partitions.items():
            partitions[key] = partitions.get(key, 0) + rows
    query = " UNION ALL ".join(
        file_query(folder, file, columns, partition_column) for file in files
    )
    build(target, query, sum(partitions.values()), [folder / file.path for file in files])
    return DataFile(
        path=str(target.relative_to(folder)),
        columns=tuple((name, type_.duckdb) for name, type_ in columns),
        partitions=partitions,
        partitions_held=len(partitions),
        size=target.stat().st_size,
        sha256=sha256_of(target),
    )


def parquet_query(paths: Iterable[Path], columns: Sequence[str]) -> str:
    names = ", ".join(quote_identifier(name) for name in columns)
    return f"SELECT {names} FROM {parquet_rows(paths)}"  # noqa: S608


def alias_of(path: Path) -> str:
    """The name that a file is attached under: the same on every connection, no two alike."""
    return "mesh_" + hashlib.sha256(str(path).encode()).hexdigest()[:16]


def attach_statement(path: Path) -> str:
    return f"ATTACH IF NOT EXISTS {quote_literal(str(path))} AS {alias_of(path)} (READ_ONLY)"


def count_statement(path: Path) -> str:
    """All rows of an attached file, those of replaced partitions included."""
    return f"SELECT count(*) FROM {alias_of(path)}.{TABLE}"  # noqa: S608


def file_query(
    folder: Path,
    file: DataFile,
    columns: Sequence[tuple[str, ColumnType]],
    partition_column: str | None,
) -> str:
    """Read these columns of the file's live partitions; a column that it lacks is null."""
    return _query(f"{alias_of(folder / file.path)}.{TABLE}", file, columns, partition_column)


def unattached_queries(
    folder: Path,
    files: Sequence[DataFile],
    columns: Sequence[tuple[str, ColumnType]],
    partition_column: str | None,
) -> list[str]:
    """The same of several files, for a connection that has attached none of them: those of one shape
    that are read whole are one relation."""
    alike: dict[object, list[DataFile]] = {}
    for file in files:
        whole = partition_column is None or file.whole
        alike.setdefault((file.columns, file.called) if whole else file.path, []).append(file)
    return [
        _query(_unattached(folder / one.path for one in group), group[0], columns, partition_column)
        for group in alike.values()
    ]


def _unattached(paths: Iterable[Path]) -> str:
    listed = ", ".join(exact_path(str(path)) for path in paths)
    return f"read_duckdb([{listed}], table_name = '{TABLE}', hive_partitioning = false)"


def _query(
    relation: str,
    file: DataFile,
    columns: Sequence[tuple[str, ColumnType]],
    partition_column: str | None,
) -> str:
    held = file.held
    expressions = ", ".join(_expression(name, type_, held.get(name)) for name, type_ in columns)
    query = f"SELECT {expressions} FROM {relation}"  # noqa: S608
    if partition_column is None or file.whole:
        return query
    name, type_ = held[partition_column]
    return f"{query} WHERE {days_condition(name, parse_type(type_), file.partitions)}"


def _expression(name: str, wanted: ColumnType, held: tuple[str, str] | None) -> str:
    quoted = quote_identifier(name)
    if held == (name, wanted.duckdb):
        return quoted
    source = quote_identifier(held[0]) if held else "NULL"
    return f"CAST({source} AS {wanted.duckdb}) AS {quoted}"


def days_condition(column: str, type_: ColumnType, days: Iterable[str]) -> str:
    """A condition of plain ranges, so that DuckDB skips the row groups of other days."""
    return in_days(column, days, lambda day: _midnight(day, type_))


def _midnight(day: date, type_: ColumnType) -> str:
    match type_.family:
        case Family.DATE:
            return quote_literal(day)
        case Family.TIMESTAMP_TZ:
            return f"TIMESTAMPTZ '{day.isoformat()} 00:00:00+00'"
        case _:
            return f"TIMESTAMP '{day.isoformat()} 00:00:00'"
