"""Values that a contract writes down (bounds, allowed values) as values of the column's type.

Belongs here: turning one YAML scalar into the Python value that is compared with the column.
Does not belong here: converting data (`contracts/values/lossless.py`).

    text -> str, integer -> int, float -> float, decimal -> Decimal, boolean -> bool,
    date -> date, timestamp -> naive datetime, timestamp with time zone -> datetime in UTC
"""

from __future__ import annotations

import math
import re
import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from shared_resources.contracts.numbers import Number, is_number, is_whole
from shared_resources.contracts.types import ColumnType, Family

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIMESTAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?"
)


class NotOfType(ValueError):
    """A value that the column cannot hold. `message` says what it is, `remedy` what to write."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy


def bound(value: Any, type_: ColumnType, *, upwards: bool) -> Any:
    """A bound as a value of the type. Between two values of it, e.g. 0.5 for integers, it moves to
    the next one, `upwards` or downwards, which changes no verdict where the caller says the right
    direction: up for `minimum` and `exclusiveMaximum`, down for the other two.

    Raises `NotOfType`.
    """
    if not is_number(value):
        return constant(value, type_)
    if type_.family is Family.FLOAT:
        return _float_bound(value, type_, upwards=upwards)
    if type_.family not in (Family.INTEGER, Family.DECIMAL):
        return constant(value, type_)
    scale = type_.scale if type_.family is Family.DECIMAL else 0
    scaled = Fraction(value) * 10**scale
    whole = math.ceil(scaled) if upwards else math.floor(scaled)
    return constant(whole if not scale else Decimal(f"{whole}e-{scale}"), type_)


def constant(value: Any, type_: ColumnType) -> Any:
    """`value` as a value of the type. Raises `NotOfType`."""
    match type_.family:
        case Family.STRING:
            return _text(value)
        case Family.BOOLEAN:
            if isinstance(value, bool):
                return value
            raise NotOfType(f"is {value!r}, which is no boolean", "write true or false")
        case Family.DATE:
            return _date(value)
        case Family.TIMESTAMP | Family.TIMESTAMP_TZ:
            return _timestamp(value, zoned=type_.family is Family.TIMESTAMP_TZ)
        case Family.INTEGER:
            return _integer(value, type_.width)
        case Family.FLOAT:
            return _float(value, type_.width)
        case Family.DECIMAL:
            return _decimal(value, type_)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        words = {"True": "true", "False": "false", "None": "null"}
        shown = words.get(repr(value), repr(value))
        raise NotOfType(f"is {shown}, which is no text", "put it in quotes")
    if "\0" in value:
        raise NotOfType("holds a NUL character", "remove it")
    return value


def _date(value: Any) -> date:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise NotOfType(f"is {value!r}, which is no date", "write it as '2017-03-01'")


def _timestamp(value: Any, *, zoned: bool) -> datetime:
    example = "'2017-03-01T12:00:00Z'" if zoned else "'2017-03-01T12:00:00'"
    if isinstance(value, str) and _DATE.fullmatch(value) and not zoned:
        value = f"{value}T00:00:00"
    if not isinstance(value, str) or not (spelling := _TIMESTAMP.fullmatch(value)):
        raise NotOfType(f"is {value!r}, which is no timestamp", f"write it as {example}")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise NotOfType(f"is {value!r}, which does not exist", f"write it as {example}") from None
    if zoned and not spelling[3]:
        raise NotOfType(f"is {value!r}, which has no time zone", f"write it as {example}")
    if not zoned and spelling[3]:
        remedy = f"write it as {example}, or give the column `timezone: true`"
        raise NotOfType(f"is {value!r}, but the column has no time zone", remedy)
    return moment.astimezone(UTC) if zoned else moment


def _integer(value: Any, width: int) -> int:
    if not is_number(value):
        raise NotOfType(f"is {value!r}, which is no number", "write a whole number")
    number = int(value)
    if number != value:
        raise NotOfType(f"is {value}, which is no whole number", "write a whole number")
    limit = 1 << (width - 1)
    if not -limit <= number < limit:
        remedy = "correct it, or remove it" if width == 64 else "correct it, or use BIGINT"
        raise NotOfType(f"is {value}, which a {width}-bit integer cannot be", remedy)
    return number


def _float_bound(value: Number, type_: ColumnType, *, upwards: bool) -> float:
    """A whole number moves as a bound of integers does; any other is the nearest float, as it is
    in the data.
    """
    try:
        return _float(value, type_.width)
    except _Inexact as inexact:
        near = inexact.nearest
    if (near < value) if upwards else (near > value):
        near = _next_float(near, type_.width, upwards=upwards)
    return near


def _next_float(value: float, width: int, *, upwards: bool) -> float:
    if width == 64:
        return math.nextafter(value, math.inf if upwards else -math.inf)
    # The bits of a float, read as an integer, count up with its size.
    bits: int = struct.unpack("<i", struct.pack("<f", value))[0]
    bits += 1 if upwards == (value > 0) else -1
    following: float = struct.unpack("<f", struct.pack("<i", bits))[0]
    return following


class _Inexact(NotOfType):
    """A whole number between two floats."""

    def __init__(self, value: Number, nearest: float, width: int) -> None:
        super().__init__(
            f"is {value}, a whole number that a {width}-bit float cannot hold exactly",
            "write one that it can hold, or give the column a DECIMAL type",
        )
        self.nearest = nearest


def _float(value: Any, width: int) -> float:
    if not is_number(value):
        raise NotOfType(f"is {value!r}, which is no number", "write a finite number")
    try:
        number = float(value)
        narrow: float = struct.unpack("<f", struct.pack("<f", number))[0] if width == 32 else number
    except OverflowError:
        narrow = math.inf
    if math.isinf(narrow):
        raise NotOfType(f"is {value}, which a {width}-bit float cannot be", "correct it")
    if is_whole(value) and narrow != value:
        raise _Inexact(value, narrow, width)
    return number


def _decimal(value: Any, type_: ColumnType) -> Decimal:
    if not is_number(value):
        raise NotOfType(f"is {value!r}, which is no number", "write a number")
    scaled = Fraction(value) * 10**type_.scale
    if abs(scaled) >= 10**type_.precision:
        raise NotOfType(f"is {value}, which {type_} cannot be", "correct it")
    if scaled.denominator != 1:
        raise NotOfType(f"is {value}, which has more decimals than {type_}", "round it")
    return Decimal(value)
