"""A table of Snowflake, brought here to be looked at.

Belongs here: where it is, what Snowflake says of its columns, fetching it in bounded memory.
Does not belong here: logging in (`production/`), other databases (`elsewhere.py`), what is inferred.

`snowflake://DATABASE#SCHEMA.TABLE`, with the mesh's own login: its settings are those of production, of
which no other is needed. Snowflake enforces no primary key, so that none is taken from it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from shared_resources.inference.elsewhere import Table
from shared_resources.inference.inferred import NotInferable
from shared_resources.parquet import write_parquet
from shared_resources.production.snowflake_settings import read_login
from shared_resources.sql import quote_identifier
from shared_resources.stores.cloud_warehouse.session import SnowflakeSession

SNOWFLAKE = "snowflake://"
_FORM = f"a table of Snowflake is written {SNOWFLAKE}DATABASE#SCHEMA.TABLE, without a login"


def fetch_snowflake_table(place: str, folder: Path) -> Table:
    """The table as a file in `folder`. Raises `NotInferable`, and `SnowflakeProblem`."""
    database, _, table = place.removeprefix(SNOWFLAKE).partition("#")
    schema, _, name = table.rpartition(".")
    if not (database and schema and name) or any(sign in database for sign in "@/:?"):
        raise NotInferable(f"{_FORM}, e.g. {SNOWFLAKE}SHOP#PUBLIC.ORDERS")
    session = _session()
    try:
        return _fetched(session, (database, schema, name), folder)
    finally:
        session.close()


def _session() -> SnowflakeSession:
    problems: list[str] = []
    login = read_login(os.environ, problems)
    if login is None or problems:
        told = "".join(f"\n  {problem}" for problem in problems)
        raise NotInferable(f"Snowflake is logged in to by the settings of production:{told}")
    return SnowflakeSession(login.connection)


def _fetched(session: SnowflakeSession, named: tuple[str, str, str], folder: Path) -> Table:
    shown = f"table {'.'.join(named)} of Snowflake"
    database, schema, name, described = _described(session, named, shown)
    kept: dict[str, pa.DataType] = {}
    left_out, offsets = [], []
    for column, type_, _, precision, scale in described:
        arrow = _arrow(str(type_), precision, scale)
        if arrow is None:
            left_out.append(f"{column!r} holds {type_}, of which no column can be")
            continue
        kept[column] = arrow
        if str(type_) == "TIMESTAMP_TZ":
            offsets.append(column)
    if not kept:
        raise NotInferable(f"{shown}: none of its columns holds single values of a known type")
    columns = ", ".join(map(quote_identifier, kept))
    place = ".".join(map(quote_identifier, (database, schema, name)))
    file = folder / "table.parquet"
    target = pa.schema([*kept.items()])
    write_parquet(
        file, target, _batches(session.arrow(f"SELECT {columns} FROM {place}"), target, shown)
    )
    said = [
        f"{column!r} is a TIMESTAMP_TZ: its moments are kept, in UTC, and the offsets that they were "
        "written with are not"
        for column in offsets
    ]
    required = frozenset(column for column, _, nullable, *_ in described if nullable == "NO")
    return Table(shown, file, (), required & kept.keys(), tuple(left_out), tuple(said))


_Described = list[tuple[str, str, str, int | None, int | None]]


def _described(
    session: SnowflakeSession, named: tuple[str, str, str], shown: str
) -> tuple[str, str, str, _Described]:
    """The table's names as Snowflake has them, and its columns: a name in quotes is as it is
    written, any other in capitals."""
    for database, schema, name in (named, tuple(one.upper() for one in named)):
        described = session.query(
            "SELECT column_name, data_type, is_nullable, numeric_precision, numeric_scale "
            f"FROM {quote_identifier(database)}.information_schema.columns "
            "WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position",
            (schema, name),
        ).rows
        if described:
            return database, schema, name, [tuple(row) for row in described]
    raise NotInferable(f"{shown}: there is no such table, or the mesh's role may not see it")


def _batches(tables: Iterator[pa.Table], target: pa.Schema, shown: str) -> Iterator[pa.RecordBatch]:
    for table in tables:
        columns = [
            _cast(column, field, f"{shown}, column {field.name!r}")
            for column, field in zip(table.columns, target, strict=True)
        ]
        yield from pa.Table.from_arrays(columns, schema=target).to_batches()


def _cast(column: pa.ChunkedArray, field: pa.Field, place: str) -> pa.ChunkedArray:
    try:
        if pa.types.is_timestamp(field.type) and not field.type.tz:
            # A moment without a zone comes without one, or is said to be in UTC.
            column = pc.cast(column, pa.timestamp("us"), safe=False)
        return pc.cast(column, field.type, safe=not pa.types.is_timestamp(field.type))
    except pa.ArrowException:
        raise NotInferable(f"{place}: holds what is no {field.type}; cast it in a view") from None


def _arrow(type_: str, precision: int | None, scale: int | None) -> pa.DataType | None:
    """The Arrow type of what a column holds; None for what no column can hold."""
    match type_:
        case "NUMBER" | "FIXED" if not scale:
            return pa.int64()
        case "NUMBER" | "FIXED":
            return pa.decimal128(precision or 38, scale or 0)
        case "FLOAT" | "REAL" | "DOUBLE":
            return pa.float64()
        case "TEXT" | "VARCHAR":
            return pa.string()
        case "BOOLEAN":
            return pa.bool_()
        case "DATE":
            return pa.date32()
        case "TIMESTAMP_NTZ":
            return pa.timestamp("us")
        case "TIMESTAMP_LTZ" | "TIMESTAMP_TZ":
            return pa.timestamp("us", tz="UTC")
    return None
