"""The first value of a column that is none of the contract's type, in words.

Belongs here: finding it, showing it, and carrying what was found with the column to whoever reports it.
Does not belong here: which values convert (`conversions.py`), or refusing them (the audit's COLUMNS
rule, `landing/formats/parquet/reader.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from shared_resources import arrow_functions as pc
from shared_resources.contracts.model import MASK, Contract
from shared_resources.contracts.values.mixed import MIXED, is_mixed
from shared_resources.contracts.values.moments import is_moment, written

SHOWN_CHARACTERS = 200
_NOTE = b"mesh.offending"


def first_offending(values: pa.ChunkedArray, fits: Callable[[pa.ChunkedArray], bool]) -> int | None:
    """The position of the first value of those that do not all fit; None when they do."""
    if fits(values):
        return None
    low, high = 0, len(values)  # the values before `low` fit, those before `high` do not
    while high - low > 1:
        middle = (low + high) // 2
        if fits(values.slice(low, middle - low)):
            low = middle
        else:
            high = middle
    return low


def described(
    values: pa.ChunkedArray, position: int, contract: Contract, column: str, before: int = 0
) -> str:
    """`row 3 holds 3.7`; the value masked when its column is classified, or not the contract's.

    `before` is the number of rows that came before `values`.
    """
    shown = masked(_shown(values, position), contract, column)
    return f"row {before + position + 1:,} holds {shown}"


def masked(text: str, contract: Contract, column: str) -> str:
    """A value's text, fit to be shown."""
    known = {c.name for c in contract.columns} - contract.classified_columns
    return text if column in known else MASK


def _shown(values: pa.ChunkedArray, position: int) -> str:
    value: Any
    if is_moment(values.type) and values[position].is_valid:
        return written(values[position].value, values.type)
    try:
        value = values[position].as_py()
        if is_mixed(values.type) and value is not None:
            return _cut(str(value[MIXED]))
        text = repr(value) if isinstance(value, str | bytes) else str(value)
    except (
        OverflowError,
        ValueError,
        pa.ArrowException,
    ):  # Python has no such day, or no such text
        text = _as_arrow_shows(values.slice(position, 1))
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _as_arrow_shows(value: pa.ChunkedArray) -> str:
    try:
        return str(pc.cast(value, pa.string())[0].as_py())
    except (UnicodeError, pa.ArrowException):  # text that is none
        return repr(pc.cast(value, pa.binary())[0].as_py())


def noted(field: pa.Field, note: str) -> pa.Field:
    """The field with a note of what was found, which stays with it in a Parquet file."""
    return field.with_metadata({**(field.metadata or {}), _NOTE: note.encode()})


def note_of(field: pa.Field) -> str | None:
    """What was found, or None."""
    note = (field.metadata or {}).get(_NOTE)
    return None if note is None else note.decode("utf-8", "replace")
