"""The words of Snowflake's SQL: names, types, casts and conditions of the statements on products.

Belongs here: pure functions from contracts to pieces of SQL; every name is quoted, as it is written.
Does not belong here: connections (`session.py`), whole statements (who executes them).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from shared_resources.contracts.types import ColumnType, Family
from shared_resources.sql import quote_identifier
from shared_resources.stores.reading import day_ranges

Columns = Sequence[tuple[str, ColumnType]]

# Behind a product's name in a table's: its batch's digest, when it was made, and of which attempt.
SUFFIX = r"__([0-9a-f]{12})_([0-9a-f]{8,})_[0-9a-f]{12}"


@dataclass(frozen=True)
class Name:
    """A table, view or stage: quoted, so lower case stays lower case."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{quote_identifier(self.schema)}.{quote_identifier(self.name)}"


def text(value: str) -> str:
    """A string literal. Unlike DuckDB's (`sql.quote_literal`), the backslash escapes in it."""
    if "\0" in value:
        raise ValueError("a NUL character cannot stand in SQL text")
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def type_of(column: ColumnType) -> str:
    """The Snowflake type that holds every value of the column's type, and gives it back exactly.

    Integers are decimals of as many digits as 32 or 64 bits need; every float has 64 bits.
    """
    match column.family:
        case Family.STRING:
            return "VARCHAR"
        case Family.INTEGER:
            return "NUMBER(10,0)" if column.width == 32 else "NUMBER(19,0)"
        case Family.FLOAT:
            return "FLOAT"
        case Family.DECIMAL:
            return f"NUMBER({column.precision},{column.scale})"
        case Family.BOOLEAN:
            return "BOOLEAN"
        case Family.DATE:
            return "DATE"
        case Family.TIMESTAMP:
            return "TIMESTAMP_NTZ(6)"
        case Family.TIMESTAMP_TZ:
            return "TIMESTAMP_TZ(6)"


def definitions(columns: Columns) -> str:
    return ", ".join(f"{quote_identifier(name)} {type_of(type_)}" for name, type_ in columns)


def names(columns: Iterable[str]) -> str:
    return ", ".join(quote_identifier(name) for name in columns)


def from_parquet(columns: Columns) -> str:
    """The columns of a staged Parquet file's row, in the table's types."""
    return ", ".join(f"$1:{quote_identifier(name)}::{type_of(type_)}" for name, type_ in columns)


def evolved(
    table: Name, columns: Columns, held: Columns, called: Mapping[str, str]
) -> Iterator[str]:
    """What makes the columns of a table that holds others, each by metadata alone: a column that is
    `called` otherwise there, a number of more digits, one that is not there yet."""
    types = {name: type_of(type_) for name, type_ in held}
    for name, type_ in columns:
        before, wanted = called.get(name, name), type_of(type_)
        if before != name:
            yield f"ALTER TABLE {table} RENAME COLUMN {names([before])} TO {names([name])}"
        if before not in types:
            yield f"ALTER TABLE {table} ADD COLUMN {names([name])} {wanted}"
        elif types[before] != wanted:
            yield f"ALTER TABLE {table} ALTER COLUMN {names([name])} SET DATA TYPE {wanted}"


def in_days(column: str, type_: ColumnType, days: Iterable[str]) -> str:
    """A condition of plain ranges, which prunes micro-partitions; a zoned column's days are UTC's."""
    return day_ranges.in_days(column, days, lambda day: _midnight(day, type_)) or "FALSE"


def _midnight(day: date, type_: ColumnType) -> str:
    match type_.family:
        case Family.DATE:
            return f"'{day.isoformat()}'::DATE"
        case Family.TIMESTAMP_TZ:
            return f"'{day.isoformat()} 00:00:00 +00:00'::TIMESTAMP_TZ(6)"
        case _:
            return f"'{day.isoformat()} 00:00:00'::TIMESTAMP_NTZ(6)"
