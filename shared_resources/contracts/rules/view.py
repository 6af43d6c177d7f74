"""SQL that several kinds of rule have in common, over the view `batch` that all are asked of.

Belongs here: the view's name and its columns beside the product's; values as literals; conditions
on one column; keys.
Does not belong here: making the view (`governance/audit/engine/`), a kind (one a file).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.patterns import re2
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.sql import quote_identifier, quote_literal

BATCH = "batch"
PART = "_mesh_part"  # the position of the row's part among those audited together
PARTITION = "_mesh_partition"  # the partition that the row's file stands for, '' for none
ROWS = "_mesh_rows"
BOUNDS = {
    "minimum": "<",
    "exclusiveMinimum": "<=",
    "maximum": ">",
    "exclusiveMaximum": ">=",
}


def column_of(rule: Rule, contract: Contract) -> tuple[str, ColumnType]:
    """The rule's one column, quoted, and its type."""
    name = rule.columns[0]
    return quote_identifier(name), contract.column(name).type


def literal(value: Any, type_: ColumnType) -> str:
    """`value`, as YAML gave it, as a SQL literal of the column's type.

    A float is cast to the column's own width, so that 0.1 equals what a 32-bit column holds for it.
    """
    match type_.family:
        case Family.STRING:
            return quote_literal(str(value))
        case Family.INTEGER | Family.DECIMAL:
            return f"CAST({quote_literal(_digits(value))} AS {type_.duckdb})"
        case Family.FLOAT:
            return f"CAST({quote_literal(repr(float(value)))} AS {type_.duckdb})"
        case Family.BOOLEAN:
            return quote_literal(bool(value))
        case Family.DATE:
            return quote_literal(as_date(value))
        case Family.TIMESTAMP | Family.TIMESTAMP_TZ:
            return quote_literal(as_datetime(value, type_.family is Family.TIMESTAMP_TZ))


def _digits(value: Any) -> str:
    """An integer or decimal as digits: never through a binary float, never with an exponent."""
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError(f"{value!r} is no finite number")
    return format(number, "f")


def as_date(value: Any) -> date:
    """A bound or listed value of a date column."""
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def as_datetime(value: Any, aware: bool) -> datetime:
    """A bound or listed value of a timestamp column. Raises `ValueError` for a zone that it lacks."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if aware:
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment.tzinfo is not None:
        raise ValueError(f"{value} has a time zone and the column has none")
    return moment


def listed(type_: ColumnType, values: Iterable[Any]) -> str:
    return ", ".join(literal(value, type_) for value in values if value is not None)


def not_in(column: str, type_: ColumnType, values: Iterable[Any]) -> str:
    found = listed(type_, values)
    # A null is no value; in the list it would make every comparison NULL.
    return f"{column} NOT IN ({found})" if found else f"{column} IS NOT NULL"


def not_matching(column: str, pattern: str) -> str:
    return f"NOT regexp_matches({column}, {quote_literal(re2(pattern))})"


def out_of_range(column: str, type_: ColumnType, arguments: Mapping[str, Any]) -> str:
    return " OR ".join(
        f"{column} {outside} {literal(arguments[bound], type_)}"
        for bound, outside in BOUNDS.items()
        if arguments.get(bound) is not None
    )


# Keys --------------------------------------------------------------------------------------------
# Each is counted by a query of its own beside the aggregate: measured on 10 million rows, that takes
# less time than `count(DISTINCT key)` within it, and unlike that it spills to disk.


def key_expressions(rule: Rule, contract: Contract) -> list[str]:
    """What must not repeat. In a partitioned product, within the day of the partition column."""
    key = [quote_identifier(column) for column in rule.columns]
    partitioning = contract.partitioning
    if partitioning is not None and partitioning.column not in rule.columns:
        key.append(f"CAST({quote_identifier(partitioning.column)} AS DATE)")
    return key


def compared(rule: Rule) -> str:
    """Which rows are compared at all: those whose key has no null in it."""
    return " AND ".join(f"{quote_identifier(column)} IS NOT NULL" for column in rule.columns)


def duplicated_keys(rule: Rule, contract: Contract, view: str = BATCH) -> str:
    """The keys that more than one row has, within a part, with the number of rows, `ROWS`."""
    key = key_expressions(rule, contract)
    named = ", ".join(f"{expression} AS _mesh_k{place}" for place, expression in enumerate(key))
    return (
        f"SELECT {PART}, {named}, count(*) AS {ROWS} FROM {view} WHERE {compared(rule)} "
        f"GROUP BY {PART}, {', '.join(key)} HAVING count(*) > 1"
    )
