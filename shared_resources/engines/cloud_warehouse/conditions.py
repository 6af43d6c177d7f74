"""Conditions on rows in Snowflake's SQL: the bodies of row access policies.

Belongs here: Snowflake's own words for it, and an agreement's first and last moment.
Does not belong here: the language and its parts (`contracts/roles/conditions.py`).

Written from the parsed condition and not by translating DuckDB's text: the types of values are those in
which the store keeps the columns, and a timestamp's type would otherwise be the session's to choose.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import datetime

from shared_resources.contracts.roles import conditions
from shared_resources.contracts.roles.model import Condition, Literal
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.stores.cloud_warehouse.sql import text, type_of


def condition_sql(condition: Condition, types: Mapping[str, ColumnType]) -> str:
    """The condition, in parentheses, on arguments called as the columns are."""
    return conditions.condition_sql(condition, types, _SNOWFLAKE)


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


_SNOWFLAKE = conditions.Words(
    _literal, lambda column, beginning: f"STARTSWITH({column}, {text(beginning)})"
)
