"""A row's values as text of JSON: exact, of every type, the same in every serving port.

Belongs here: a value as it is written, and as Python has it again, by the column's type.
Does not belong here: Arrow (`serving_ports/rows.py`), what is shown of a row (`granted.py`).

Numbers, truth and text are JSON's own. A decimal and a moment are text, so that no digit is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from shared_resources.contracts.types import ColumnType, Family

Value = Any
Convert = Callable[[Value], Value]


def decoder(type_: ColumnType) -> Convert | None:
    """From what is written to Python's value; None where they are the same. Nulls are not given to it."""
    match type_.family:
        case Family.DECIMAL:
            return Decimal
        case Family.DATE:
            return date.fromisoformat
        case Family.TIMESTAMP:
            return datetime.fromisoformat
        case Family.TIMESTAMP_TZ:
            return _moment
        case _:
            return None


def encoder(type_: ColumnType) -> Convert | None:
    """The inverse of `decoder`."""
    match type_.family:
        case Family.DECIMAL:
            return lambda value: format(value, "f")
        case Family.DATE | Family.TIMESTAMP:
            return lambda value: value.isoformat()
        case Family.TIMESTAMP_TZ:
            return lambda value: value.astimezone(UTC).isoformat()
        case _:
            return None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
