"""Days and points in time: from the year 1 to the year 9999, and none that is infinite.

Belongs here: that range in Arrow's numbers, and how a value out of it is written.
Does not belong here: text (`landing/typed_cells.py` has the same range), or refusing a value: the audit's
COLUMNS rule does, and `landing/` for an object.

Python, SQL's date literals and most engines end there; Arrow, Parquet and DuckDB do not. A value
beyond would be published and then read by nobody.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa

from shared_resources import arrow_functions as pc

YEARS = "the years 1 to 9999"
_EPOCH = date(1970, 1, 1)
_FIRST, _END = (date.min - _EPOCH).days, (date.max - _EPOCH).days + 1
_A_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
# What engines write for a day without end: the greatest and the least number but one.
_INFINITE = {2**31 - 1: "infinity", 1 - 2**31: "-infinity"}
_INFINITE_MOMENT = {2**63 - 1: "infinity", 1 - 2**63: "-infinity"}


def is_moment(type_: pa.DataType) -> bool:
    """Whether values of the type are days or points in time."""
    return bool(pa.types.is_date(type_) or pa.types.is_timestamp(type_))


def is_outside(number: int, type_: pa.DataType) -> bool:
    """Whether the value that is stored as `number` lies out of the range."""
    first, end = limits(type_)
    return not first <= number < end


def limits(type_: pa.DataType) -> tuple[int, int]:
    """The number of the first value of the range, and that of the first one after it."""
    a_day = _units_a_day(type_)
    return _FIRST * a_day, _END * a_day


def first_outside(values: pa.Array | pa.ChunkedArray) -> int | None:
    """The position of the first value out of the range; None when all lie in it."""
    ends = pc.min_max(values)
    found = [ends[end].value for end in ("min", "max") if ends[end].is_valid]
    if not any(is_outside(number, values.type) for number in found):
        return None
    for position, value in enumerate(values):
        if value.is_valid and is_outside(value.value, values.type):
            return position
    return None


def written(number: int, type_: pa.DataType) -> str:
    """The value that is stored as `number`, as people write it."""
    if pa.types.is_date32(type_):
        return _INFINITE.get(number) or _iso(number, "D")
    unit = "ms" if pa.types.is_date64(type_) else type_.unit
    return _INFINITE_MOMENT.get(number) or _iso(number, unit).replace("T", " ")


def _iso(number: int, unit: Any) -> str:
    import numpy as np  # here: hardly any file holds such a value

    text = str(np.datetime64(number, unit))
    if not text.startswith("-"):
        return text
    year, _, rest = text[1:].partition("-")  # numpy counts the sign among the year's four digits
    return f"-{year:0>4}-{rest}"


def as_text(values: pa.Array) -> pa.Array:
    """The values as people write them."""
    return pa.array(
        [written(value.value, values.type) if value.is_valid else None for value in values],
        pa.string(),
    )


def _units_a_day(type_: pa.DataType) -> int:
    if pa.types.is_date32(type_):
        return 1
    return _A_DAY["ms" if pa.types.is_date64(type_) else type_.unit]
