"""Whole numbers of any length: as text of digits, until a contract's type says what they become.

Belongs here: marking a column of such text, and reading it as numbers.
Does not belong here: who has such numbers (`duckdb_columns.py`, `polars_columns.py`), or what else
becomes of numbers (`conversions.py`).

Arrow has no integer of more than 64 bits. What engines make of theirs instead has too few digits,
another sign, or does not arrive at all.
"""

from __future__ import annotations

import pyarrow as pa

from shared_resources import arrow_functions as pc

_MARK = {b"mesh.holds": b"digits"}
_NUMBERS = pa.decimal256(76, 0)  # Arrow's longest


def digits_field(name: str) -> pa.Field:
    """The field of a column whose text is whole numbers."""
    return pa.field(name, pa.string(), metadata=_MARK)


def holds_digits(field: pa.Field) -> bool:
    """Whether the column's text stands for whole numbers."""
    return field.type == pa.string() and dict(field.metadata or {}).items() >= _MARK.items()


def as_numbers(digits: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The whole numbers; None when there is one that is longer than any contract's type."""
    try:
        return pc.cast(digits, _NUMBERS)
    except pa.ArrowInvalid:
        return None
