"""Numbers of a contract, exact from the file to the verdict: whole ones are `int`, others `Decimal`.

Belongs here: reading a number's text, comparing and showing numbers without rounding them.
Does not belong here: whether a column can hold a number (`contracts/reading/constants.py`).

Decimal's own arithmetic rounds to 28 digits: what is computed here is computed as a fraction.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

Number = int | Decimal
MOST_DIGITS = 400  # more than any column type has; a longer one would only cost time

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+")
_FRACTION = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class TooLong(ValueError):
    """A number of so many digits, or so many zeros, that nothing can be compared with it."""


class Written(Decimal):
    """A number with a point or an exponent, which shows itself as the file has it."""

    def __repr__(self) -> str:
        return str(self)


def read_number(text: str) -> int | Written | float | None:
    """The number that a plain YAML scalar is; None when it is none.

    A float comes only of `.inf` and `.nan`, which are no numbers for any field. Raises `TooLong`.
    """
    if _INTEGER.fullmatch(text):
        if len(text) > MOST_DIGITS:
            raise TooLong
        return int(text, 0 if text[:2] in ("0x", "0o") else 10)
    if _FRACTION.fullmatch(text):
        mantissa, _, exponent = text.lower().partition("e")
        if len(mantissa) > MOST_DIGITS or abs(int(exponent[:9] or "0")) > MOST_DIGITS:
            raise TooLong
        return Written(text)
    if special := _NO_NUMBER.fullmatch(text):
        return float("nan") if special[3] else float(f"{special[1]}inf")
    return None


def is_number(value: Any) -> bool:
    """Whether `value` is a finite number; True and False are none."""
    if isinstance(value, int):
        return not isinstance(value, bool)
    if isinstance(value, Decimal):
        return value.is_finite()  # `math.isfinite` would ask the nearest float
    return isinstance(value, float) and math.isfinite(value)


def is_whole(value: Number) -> bool:
    """Whether a finite number is written out as a whole one: 7 and 7.0, but not 7e30."""
    if isinstance(value, int):
        return True
    _, _, exponent = value.as_tuple()
    return isinstance(exponent, int) and exponent <= 0 and Fraction(value).denominator == 1


def percent(part: Number | float, of: int) -> Fraction:
    """`part` of `of` in percent, exactly; of nothing it is none."""
    return 100 * Fraction(part) / of if of else Fraction(0)


def comparable(bound: Number | float, measured: Number | float | Fraction) -> Number | float:
    """`bound` as it is compared with `measured`.

    A float stands for the decimal numbers that it is the nearest to, so that 0.1 is 0.1. It holds
    whole numbers exactly or not at all: these are compared as they are.
    """
    if isinstance(measured, float) and not (isinstance(bound, int) or is_whole(_decimal(bound))):
        return float(bound)
    return bound if isinstance(bound, int) else _decimal(bound)


def shown(value: Number | float | Fraction, *, thousands: bool = False) -> str:
    """Every digit, no exponent where a person can do without, no zeros that say nothing."""
    if isinstance(value, Fraction):
        value = value.numerator if value.denominator == 1 else float(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        value = int(value) if value.is_integer() and abs(value) < 1e16 else _decimal(value)
    if isinstance(value, Decimal):
        if not -20 < value.adjusted() < 40:
            return str(value)
        text = format(value, ",f" if thousands else "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return format(value, ",d" if thousands else "d")


def as_json(value: Number | float) -> int | float | str | None:
    """The number for JSON: a number where a reader's double holds it, else its digits as text."""
    if isinstance(value, int):
        return value
    if isinstance(value, Decimal):
        if not value.is_finite():
            return None
        if is_whole(value):
            return int(value)
        near = float(value)
        return near if Fraction(_decimal(near)) == Fraction(value) else shown(value)
    return value if math.isfinite(value) else None


def _decimal(value: Decimal | float) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(repr(float(value)))
