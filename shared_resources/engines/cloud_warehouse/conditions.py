"""Conditions on rows in Snowflake's SQL: the bodies of row access policies.

Belongs here: each part of the restricted language, and an agreement's first and last moment.
Does not belong here: the language itself (`contracts/roles/conditions.py`).

Written from the parsed condition and not by translating DuckDB's text: the types of values are those in
which the store keeps the columns, and a timestamp's type would otherwise be the session's to choose.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import datetime

from shared_resources.contracts.roles.model import (
    Among,
    Any_,
    Comparison,
    Condition,
    Every,
    IsNull,
    Literal,
    Not,
    StartsWith,
)
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.sql import quote_identifier
from shared_resources.stores.cloud_warehouse.sql import text, type_of


def condition_sql(condition: Condition, types: Mapping[str, ColumnType]) -> str:
    """The condition, in parentheses, on arguments called as the columns are."""
    match condition:
        case Comparison(column, operator, value):
            sql = f"{quote_identifier(column)} {operator} {_literal(value, types[column])}"
        case Among(column, values):
            listed = ", ".join(_literal(value, types[column]) for value in values)
            sql = f"{quote_identifier(column)} IN ({listed})"
        case IsNull(column):
            sql = f"{quote_identifier(column)} IS NULL"
        case StartsWith(column, beginning):
            sql = f"STARTSWITH({quote_identifier(column)}, {text(beginning)})"
        case Not(inner):
            sql = f"NOT {condition_sql(inner, types)}"
        case Every(conditions):
            sql = " AND ".join(condition_sql(one, types) for one in conditions)
        case Any_(conditions):
            sql = " OR ".join(condition_sql(one, types) for one in conditions)
    return f"({sql})"


def within(starts: datetime | None, ends: datetime | None) -> list[str]:
    """That it is now neither before the first nor after the last moment (UTC)."""
    return [
        f"CURRENT_TIMESTAMP() {operator} CAST({text(_moment(moment))} AS TIMESTAMP_TZ)"
        for operator, moment in ((">=", starts), ("<=", ends))
        if moment is not None
    ]


def _literal(value: Literal, type_: ColumnType) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    if type_.family is Family.FLOAT and type_.width == 32:
        # The column's values are those of 32 bits, kept in 64: so is what they are compared with.
        (value,) = struct.unpack("f", struct.pack("f", value))
    said = _moment(value) if isinstance(value, datetime) else str(value)
    return f"CAST({text(said)} AS {type_of(type_)})"


def _moment(moment: datetime) -> str:
    """With its offset where it has one, as Snowflake reads it."""
    return moment.isoformat(sep=" ")
