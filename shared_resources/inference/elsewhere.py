"""Data that lies elsewhere, brought here to be looked at: objects on S3, a table of a database.

Belongs here: fetching, in bounded memory, and what the database itself says of its columns.
Does not belong here: what is inferred of it (`infer.py`), Snowflake (`snowflake_table.py`).

Credentials are those that boto3 and the database's driver find; what is shown of an address holds none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from shared_resources.inference.inferred import NotInferable
from shared_resources.parquet import write_parquet

S3 = "s3://"
_MOST_OBJECTS = 1_000
_ROWS_AT_A_TIME = 10_000


def fetch_objects(place: str, folder: Path) -> Path:
    """The object `s3://bucket/key` as a file in `folder`, or all of a prefix, which is then a folder.

    Raises `NotInferable` when nothing is there, or more than can be looked at.
    """
    import boto3

    bucket, _, key = place.removeprefix(S3).partition("/")
    client = boto3.client("s3")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
    below = key if key.endswith("/") or not key else f"{key}/"
    found: list[str] = []
    for page in pages:
        there = [one["Key"] for one in page.get("Contents", ())]
        found += [one for one in there if one == key or _is_direct(one, below)]
        if len(found) > _MOST_OBJECTS:
            raise NotInferable(f"{place}: holds over {_MOST_OBJECTS:,} objects; name fewer")
    if key in found and not key.endswith("/"):
        found = [key]
    if not found:
        raise NotInferable(f"{place}: there is no such object, and none below it")
    files = [folder / PurePosixPath(one).name for one in found]
    for one, file in zip(found, files, strict=True):
        client.download_file(bucket, one, str(file))
    return files[0] if found == [key] else folder


def _is_direct(key: str, below: str) -> bool:
    name = key.removeprefix(below)
    return key.startswith(below) and bool(name) and "/" not in name


@dataclass(frozen=True)
class Table:
    """A table's rows in a Parquet file. `key` and `required` are what the database enforces;
    `to_confirm` is what of the values was not kept."""

    shown: str
    file: Path
    key: tuple[str, ...]
    required: frozenset[str]
    left_out: tuple[str, ...]
    to_confirm: tuple[str, ...] = ()


def fetch_table(place: str, folder: Path) -> Table:
    """The table of `dialect://user@host/database#schema.table`. Raises `NotInferable`."""
    address, _, name = place.rpartition("#")
    if not address or not name:
        raise NotInferable(
            "a table of a database is written DIALECT://HOST/DATABASE#TABLE, "
            "e.g. sqlite:///shop.db#orders"
        )
    try:
        url = sa.make_url(address)
        if url.drivername == "postgresql":  # the driver that the platform has
            url = url.set(drivername="postgresql+psycopg2")
        engine = sa.create_engine(url)
    except (sa.exc.ArgumentError, ImportError) as problem:
        raise NotInferable(
            f"the address of table {name} cannot be used: {_line(problem)}"
        ) from None
    shown = f"table {name} of {url.get_backend_name()} {url.database or ''}".strip()
    with _reading(shown):
        return _fetched(engine, shown, name, folder)


def _fetched(engine: sa.Engine, shown: str, name: str, folder: Path) -> Table:
    schema, _, table = name.rpartition(".")
    inspector = sa.inspect(engine)
    if not (inspector.has_table(table, schema or None)):
        raise NotInferable(f"{shown}: there is no such table")
    described = inspector.get_columns(table, schema or None)
    types = {one["name"]: _arrow(one["type"]) for one in described}
    kept = {column: type_ for column, type_ in types.items() if type_ is not None}
    if not kept:
        raise NotInferable(f"{shown}: none of its columns holds single values of a known type")
    key = inspector.get_pk_constraint(table, schema or None)["constrained_columns"]
    file = folder / "table.parquet"
    columns = [sa.column(o["name"], o["type"]) for o in described if o["name"] in kept]
    query = sa.select(*columns).select_from(sa.table(table, *columns, schema=schema or None))
    with engine.connect().execution_options(stream_results=True) as connection:
        rows = connection.execute(query)
        write_parquet(file, pa.schema([*kept.items()]), _batches(rows, kept, shown))
    engine.dispose()
    return Table(
        shown,
        file,
        tuple(key) if {*key} <= kept.keys() else (),
        frozenset(one["name"] for one in described if not one["nullable"]),
        tuple(
            f"{one['name']!r} holds {one['type']}, of which no column can be"
            for one in described
            if one["name"] not in kept
        ),
    )


def _batches(
    rows: sa.CursorResult[Any], columns: dict[str, pa.DataType], shown: str
) -> Iterator[pa.RecordBatch]:
    for some in rows.partitions(_ROWS_AT_A_TIME):
        yield pa.RecordBatch.from_arrays(
            [
                _array([row[n] for row in some], type_, f"{shown}, column {name!r}")
                for n, (name, type_) in enumerate(columns.items())
            ],
            names=list(columns),
        )


def _array(values: Sequence[Any], type_: pa.DataType, place: str) -> pa.Array:
    if pa.types.is_string(type_):
        values = [None if value is None else str(value) for value in values]
    try:
        return pa.array(values, type_)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        raise NotInferable(f"{place}: holds what is no {type_}; cast it in a view") from None


def _arrow(type_: sa.types.TypeEngine[Any]) -> pa.DataType | None:
    """The Arrow type in which a column's values arrive; None for what no column can hold."""
    match type_:
        case sa.Boolean():
            return pa.bool_()
        case sa.Integer():
            return pa.int64()
        case sa.Float():
            return pa.float64()
        case sa.Numeric(precision=int(precision), scale=int(scale)) if precision <= 38:
            return pa.decimal128(precision, scale)
        case sa.Date():
            return pa.date32()
        case sa.DateTime():
            return pa.timestamp("us", tz="UTC" if type_.timezone else None)
        case sa.String() | sa.Uuid():
            return pa.string()
    return None


@contextmanager
def _reading(shown: str) -> Iterator[None]:
    try:
        yield
    except sa.exc.SQLAlchemyError as problem:
        raise NotInferable(f"{shown}: cannot be read ({_line(problem)})") from None


def _line(problem: BaseException) -> str:
    told = getattr(problem, "orig", None) or problem
    return next(iter(str(told).strip().splitlines()), type(told).__name__)
