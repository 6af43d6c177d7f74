"""Lossless conversions: an Arrow column as a contract's type, or not at all.

Belongs here: which conversion loses nothing, one function a pair of families.
Does not belong here: frames and streams (`lossless.py`), pandas' own types (`pandas_columns.py`).

The test of each: the original can be had back from the result. So 3.0 becomes 3 and 3.7 stays 3.7,
12.34 becomes the decimal 12.34 but 0.1 + 0.2 does not become 0.30, text stays text, and neither
does a naive timestamp get a time zone nor an aware one lose it. NaN is a missing value throughout,
so it may become null where the target has no NaN.

What a float is in digits: the shortest decimal that no other float of its width is, which is what
people write and see. From 2^53 on (2^24 in 32 bits) floats are whole and stand for that number.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from shared_resources import arrow_functions as pc
from shared_resources.contracts.types import ColumnType, Family

_STRINGS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
# Extension types that are text and nothing else. What others are stored as is not what they mean: a
# pandas Period is stored as a number of months or days.
_TEXTS = frozenset({"arrow.json"})
_ROOM = 76  # the digits of Arrow's widest decimal
_WHOLE_FROM = {32: 2.0**24, 64: 2.0**53}


def family_of(type_: pa.DataType) -> Family | None:
    """What the values of an Arrow type are; None for a type that no contract can name."""
    if pa.types.is_dictionary(type_) or pa.types.is_run_end_encoded(type_):
        return family_of(type_.value_type)
    if isinstance(type_, pa.BaseExtensionType):
        known = type_.extension_name in _TEXTS
        return family_of(type_.storage_type) if known else None
    checks: tuple[tuple[Callable[[pa.DataType], bool], Family], ...] = (
        *((check, Family.STRING) for check in _STRINGS),
        (pa.types.is_integer, Family.INTEGER),
        (pa.types.is_floating, Family.FLOAT),
        (pa.types.is_decimal, Family.DECIMAL),
        (pa.types.is_boolean, Family.BOOLEAN),
        (pa.types.is_date, Family.DATE),
    )
    for check, family in checks:
        if check(type_):
            return family
    if pa.types.is_timestamp(type_):
        return Family.TIMESTAMP if type_.tz is None else Family.TIMESTAMP_TZ
    return None


def always_converts(source: pa.DataType, target: ColumnType) -> bool:
    """Whether every value of the Arrow type can be had as the target, so that none needs a look."""
    if pa.types.is_dictionary(source) or pa.types.is_run_end_encoded(source):
        return always_converts(source.value_type, target)
    if source == target.arrow or pa.types.is_null(source):
        return True
    family = family_of(source)
    if family is not target.family:
        return False
    match family:
        case Family.STRING:
            return True
        case Family.INTEGER:
            signed = pa.types.is_signed_integer(source)
            return bool(
                source.bit_width <= target.width if signed else source.bit_width < target.width
            )
        case Family.FLOAT:
            return bool(source.bit_width <= target.width)
        case Family.DECIMAL:
            whole = target.precision - target.scale
            return bool(source.scale <= target.scale and source.precision - source.scale <= whole)
        case Family.TIMESTAMP_TZ:
            return bool(source.unit == "us")
    return False


def convert(values: pa.ChunkedArray, target: ColumnType) -> pa.ChunkedArray | None:
    """`values` as the target's Arrow type; None when anything would be lost."""
    source = family_of(values.type)
    values = plain(values)
    if source and values.type == target.arrow:
        return values
    if _all_missing(values):
        return pa.chunked_array([pa.nulls(len(values), target.arrow)])
    conversion = _CONVERSIONS.get((source, target.family)) if source else None
    if conversion is None:
        return None
    if pa.types.is_float16(values.type):  # hardly a function of Arrow's takes them
        values = pc.cast(values, pa.float32())
    try:
        return conversion(values, target.arrow)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # it would lose something, or cannot
        return None


def plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Decode dictionaries and run lengths, and take extension types as what they are stored as."""
    type_ = values.type
    if isinstance(type_, pa.BaseExtensionType):
        stored = [chunk.storage for chunk in values.chunks]
        return plain(pa.chunked_array(stored, type_.storage_type))
    if pa.types.is_dictionary(type_):
        return pc.cast(values, type_.value_type)
    if pa.types.is_run_end_encoded(type_):
        decoded = [pc.run_end_decode(chunk) for chunk in values.chunks]
        return plain(pa.chunked_array(decoded, type_.value_type))
    return values


def _all_missing(values: pa.ChunkedArray) -> bool:
    if values.null_count == len(values):
        return True
    if not pa.types.is_floating(values.type):
        return False
    return bool(pc.all(pc.is_null(values, nan_is_null=True)).as_py())


def _without_nan(values: pa.ChunkedArray) -> pa.ChunkedArray:
    missing = pc.is_nan(values)
    return pc.if_else(missing, pa.scalar(None, values.type), values)


def _float_to_integer(values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    return pc.cast(_without_nan(values), type_)


def _float_to_float(values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray | None:
    narrowed = pc.cast(values, type_)
    back = pc.cast(narrowed, values.type)
    return narrowed if _same(_without_nan(values), _without_nan(back)) else None


def _float_to_decimal(values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    values = _without_nan(values)
    whole = pc.greater_equal(pc.abs(values), _WHOLE_FROM[values.type.bit_width])
    if not pc.any(whole).as_py():
        return _parsed(values, type_)
    nothing = pa.scalar(None, values.type)
    # Without decimal places Arrow's cast has nothing to scale, and is exact.
    large = pc.cast(pc.if_else(whole, values, nothing), pa.decimal256(_ROOM, 0))
    return pc.coalesce(pc.cast(large, type_), _parsed(pc.if_else(whole, nothing, values), type_))


def _parsed(values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    # Arrow's cast from float to decimal, or back, scales by a power of ten and can miss the number
    # that is meant; its text is the shortest decimal, and is read without a detour.
    return pc.cast(pc.cast(values, pa.string()), type_)


def _decimal_to_float(values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray | None:
    floats = _parsed(values, type_)
    return floats if _same(values, _float_to_decimal(floats, values.type)) else None


def _integer_to_float(values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray | None:
    # Arrow's own check refuses all beyond 2^53, the exact ones included.
    floats = pc.cast(values, type_, safe=False)
    return floats if _same(values, pc.cast(floats, values.type)) else None


def _integer_to_decimal(values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    # Arrow asks for room for every 64-bit number before it looks at those that there are.
    return pc.cast(pc.cast(values, pa.decimal256(_ROOM, type_.scale)), type_)


def _timestamp_to_date(values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray | None:
    days = pc.cast(values, type_)
    return days if _same(values, pc.cast(days, values.type)) else None


def _same(before: pa.ChunkedArray, after: pa.ChunkedArray) -> bool:
    return bool(pc.all(pc.equal(before, after), min_count=0).as_py())


def _cast(values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    return pc.cast(values, type_)


_CONVERSIONS: dict[
    tuple[Family, Family], Callable[[pa.ChunkedArray, pa.DataType], pa.ChunkedArray | None]
] = {
    **{(family, family): _cast for family in Family},
    (Family.FLOAT, Family.FLOAT): _float_to_float,
    (Family.FLOAT, Family.INTEGER): _float_to_integer,
    (Family.FLOAT, Family.DECIMAL): _float_to_decimal,
    (Family.INTEGER, Family.FLOAT): _integer_to_float,
    (Family.INTEGER, Family.DECIMAL): _integer_to_decimal,
    (Family.DECIMAL, Family.INTEGER): _cast,
    (Family.DECIMAL, Family.FLOAT): _decimal_to_float,
    (Family.TIMESTAMP, Family.DATE): _timestamp_to_date,
}
