"""Which columns can be compared with each other: those whose values an engine need not convert.

Belongs here: pairs of column types, and what to write where a pair does not do.
Does not belong here: comparing values, and who refers to whom (`contracts/rules/rows/relationship.py`).

An engine that is asked whether text equals a number converts one of the two: '007' is 7 then, and
9007199254740993 is the nearest double. Whole numbers and decimals are compared digit by digit as
long as one decimal type has room for both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_resources.contracts.types import ColumnType, Family

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_DIGITS = 38
_DIGITS = {32: 10, 64: 19}
_EXACT = (Family.INTEGER, Family.DECIMAL)
_FITTING = {
    Family.INTEGER: "INTEGER, BIGINT or DECIMAL",
    Family.FLOAT: "FLOAT or DOUBLE",
}


def compared_exactly(one: ColumnType, other: ColumnType) -> bool:
    """Whether two values are equal just when they are the same, in whichever engine."""
    if one.family in _EXACT and other.family in _EXACT:
        (whole, scale), (their_whole, their_scale) = _room(one), _room(other)
        return max(whole, their_whole) + max(scale, their_scale) <= _MOST_DIGITS
    return one.family is other.family


def fitting(type_: ColumnType) -> str:
    """The types that a column may have to be compared with one of `type_`."""
    if type_.family is Family.DECIMAL:
        return f"{type_}, or a whole number or decimal of which it is no rounding"
    return _FITTING.get(type_.family, str(type_))


def column_type(type_: pa.DataType) -> ColumnType | None:
    """The column type that a published version's Arrow type is; None when no contract has it."""
    import pyarrow as pa

    from shared_resources.contracts.values.conversions import family_of

    family = family_of(type_)
    if pa.types.is_dictionary(type_):
        return column_type(type_.value_type)
    match family:
        case None:
            return None
        case Family.INTEGER | Family.FLOAT:
            return ColumnType(family, width=32 if type_.bit_width <= 32 else 64)
        case Family.DECIMAL:
            return ColumnType(family, precision=type_.precision, scale=type_.scale)
    return ColumnType(family)


def _room(type_: ColumnType) -> tuple[int, int]:
    """How many digits stand before the point, and behind it."""
    if type_.family is Family.INTEGER:
        return _DIGITS[type_.width], 0
    return type_.precision - type_.scale, type_.scale
