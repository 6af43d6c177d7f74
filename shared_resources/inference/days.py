"""Files of which each is a day: told by their names, proven on their rows.

Belongs here: the pattern of the objects' names and the column that says of which day a row is.
Does not belong here: partitions of a product (`contracts/`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb

from shared_resources.contracts.file_formats import COMPRESSIONS
from shared_resources.contracts.types import MOMENTS
from shared_resources.inference.rows import Rows
from shared_resources.sql import parquet_rows, quote_identifier

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PATTERN = re.compile(r"[*?{}\[\]]")  # what an object's name says otherwise than by itself


def object_name(files: Sequence[Path], *, daily: bool) -> str:
    """The objects' names: with `{partition}` where each is a day, else with `*`."""
    if daily:
        return _DAY.sub("{partition}", files[0].name, count=1)
    return "*" + "".join(_endings(files[0]))


def days_of(files: Sequence[Path]) -> tuple[date, ...]:
    """The days that the files are called after; none unless they differ by them alone."""
    around = {_DAY.sub("", file.name, count=1) for file in files}
    if len(around) > 1 or any(_PATTERN.search(one) for one in around):
        return ()
    try:
        days = [date.fromisoformat(_DAY.findall(file.name)[0]) for file in files]
    except (IndexError, ValueError):
        return ()
    return tuple(days) if len(set(days)) == len(files) > 1 else ()


def column_of_days(
    connection: duckdb.DuckDBPyConnection, rows: Rows, days: Sequence[date], each: Sequence[int]
) -> str:
    """The column of which every row has the day of its file; ``""`` where there is none.

    `each` is how many staged files belong to each of the landed ones, in their order.
    """
    for field in rows.fields:
        if field.type.family in MOMENTS and _agrees(connection, rows, field.name, days, each):
            return field.name
    return ""


def _agrees(
    connection: duckdb.DuckDBPyConnection,
    rows: Rows,
    column: str,
    days: Sequence[date],
    each: Sequence[int],
) -> bool:
    name, start = quote_identifier(column), 0
    for day, number in zip(days, each, strict=True):
        files = rows.files[start : start + number]
        start += number
        query = (
            f"SELECT coalesce(bool_and(coalesce(CAST({name} AS DATE) = ?, FALSE)), TRUE) "
            f"FROM {parquet_rows(file.path for file in files)}"
        )
        if not connection.execute(query, [day]).fetchall()[0][0]:
            return False
    return True


def _endings(file: Path) -> list[str]:
    """`.csv`, or `.csv.gz`; a point within a name is none."""
    compressed = file.suffix.lower() in COMPRESSIONS
    return file.suffixes[-2:] if compressed else file.suffixes[-1:]
