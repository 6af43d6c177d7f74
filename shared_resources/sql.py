"""Quoting: the one way in which names and values from contracts reach SQL text.

Belongs here: quoting of identifiers, literals and files for DuckDB.
Does not belong here: statements.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path


def quote_identifier(name: str) -> str:
    """`name` as a quoted SQL identifier. Raises `ValueError` for an empty name or one with NUL."""
    if not name or "\0" in name:
        raise ValueError(f"{name!r} is no SQL identifier")
    return '"' + name.replace('"', '""') + '"'


def quote_literal(value: str | int | float | bool | date | datetime | Decimal | None) -> str:
    """`value` as a SQL literal. Raises `ValueError` for text with NUL, `TypeError` for other types."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | Decimal():
            return str(value)
        case float():
            return f"CAST('{value!r}' AS DOUBLE)"
        case str():
            if "\0" in value:
                raise ValueError("a NUL character cannot stand in SQL text")
            return "'" + value.replace("'", "''") + "'"
        case datetime():
            kind = "TIMESTAMPTZ" if value.tzinfo else "TIMESTAMP"
            return f"{kind} '{value.isoformat(sep=' ')}'"
        case date():
            return f"DATE '{value.isoformat()}'"
    raise TypeError(f"a {type(value).__name__} is no SQL literal")


def exact_path(path: str) -> str:
    """A path as a literal of DuckDB that is no glob."""
    return quote_literal("".join(f"[{c}]" if c in "*?[" else c for c in path))


def parquet_rows(paths: Iterable[Path]) -> str:
    """The rows of Parquet files as a relation; folders say nothing of them."""
    listed = ", ".join(quote_literal(str(path)) for path in paths)
    return f"read_parquet([{listed}], hive_partitioning = false)"
