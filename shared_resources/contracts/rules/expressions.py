"""Conditions on rows as polars' expressions: what kinds have in common for messages of a stream.

Belongs here: values as literals, conditions on one column, patterns in the words of Rust's regular
expressions, each with the meaning that it has in the audit's SQL (`view.py`); evaluating them over a
frame, large or small.
Does not belong here: the condition of one kind (its file), which of them are asked of messages
(`streams/row_rules/`).

As in SQL, a condition that is null counts as not failing, and NaN is null before any rule sees it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.view import as_date, as_datetime
from shared_resources.contracts.types import ColumnType, Family

_SMALL = 2_000  # rows


class Inexpressible(ValueError):
    """A condition that polars would not decide as the audit does; the message says why."""


def polars_type(type_: ColumnType) -> pl.DataType:
    """What a column of the type is in a polars frame."""
    match type_.family:
        case Family.STRING:
            return pl.String()
        case Family.INTEGER:
            return pl.Int32() if type_.width == 32 else pl.Int64()
        case Family.FLOAT:
            return pl.Float32() if type_.width == 32 else pl.Float64()
        case Family.DECIMAL:
            return pl.Decimal(type_.precision, type_.scale)
        case Family.BOOLEAN:
            return pl.Boolean()
        case Family.DATE:
            return pl.Date()
        case Family.TIMESTAMP:
            return pl.Datetime("us")
        case Family.TIMESTAMP_TZ:
            return pl.Datetime("us", "UTC")


def asked(frame: pl.DataFrame, conditions: Sequence[pl.Expr]) -> pl.DataFrame:
    """`frame.select`. Of a small frame by one thread: to hand out the expressions costs more there than
    to evaluate them."""
    return frame.select_seq(conditions) if frame.height < _SMALL else frame.select(conditions)


def computed(frame: pl.DataFrame, columns: Sequence[pl.Expr]) -> pl.DataFrame:
    """`frame.with_columns`, in the same way."""
    few = frame.height < _SMALL
    return frame.with_columns_seq(columns) if few else frame.with_columns(columns)


def column_of(rule: Rule, contract: Contract) -> tuple[pl.Expr, ColumnType]:
    """The rule's one column and its type."""
    name = rule.columns[0]
    return pl.col(name), contract.column(name).type


def literal(value: Any, type_: ColumnType) -> pl.Expr:
    """`value`, as the contract gives it, as a literal of the column's type."""
    return pl.lit(_value(value, type_), dtype=polars_type(type_))


def _value(value: Any, type_: ColumnType) -> Any:
    match type_.family:
        case Family.STRING:
            return str(value)
        case Family.INTEGER:
            return _units(value, type_, 0, 1 << (type_.width - 1))
        case Family.DECIMAL:
            units = _units(value, type_, type_.scale, 10**type_.precision)
            return Decimal(f"{units}E-{type_.scale}")
        case Family.FLOAT:
            return float(value)
        case Family.BOOLEAN:
            return bool(value)
        case Family.DATE:
            return as_date(value)
        case Family.TIMESTAMP | Family.TIMESTAMP_TZ:
            return as_datetime(value, type_.family is Family.TIMESTAMP_TZ)


def _units(value: Any, type_: ColumnType, scale: int, beyond: int) -> int:
    """An exact number in units of its last place. Not by the arithmetic of `Decimal`, which by default
    keeps 28 digits."""
    units: Fraction = Fraction(str(value)) * 10**scale
    if units.denominator != 1:
        raise Inexpressible(f"{value} has more decimals than {type_}")
    least = -beyond if type_.family is Family.INTEGER else 1 - beyond
    if not least <= units < beyond:
        raise Inexpressible(f"{value} is beyond {type_}")
    return int(units)


# Sets are looked up by a hash only where that is equality; the others are compared one by one.
_HASHED = frozenset({Family.STRING, Family.INTEGER, Family.DATE})


def one_of(column: pl.Expr, type_: ColumnType, values: Iterable[Any]) -> pl.Expr:
    present = [value for value in values if value is not None]
    if type_.family in _HASHED and present:
        listed = pl.Series([_value(value, type_) for value in present], dtype=polars_type(type_))
        return column.is_in(listed.implode())
    found = pl.lit(False)
    for value in present:
        found = found | (column == literal(value, type_))
    return found


def not_in(column: pl.Expr, type_: ColumnType, values: Iterable[Any]) -> pl.Expr:
    return column.is_not_null() & ~one_of(column, type_, values)


_OUTSIDE: Mapping[str, Callable[[Any, Any], Any]] = {
    "minimum": operator.lt,
    "exclusiveMinimum": operator.le,
    "maximum": operator.gt,
    "exclusiveMaximum": operator.ge,
}


def out_of_range(column: pl.Expr, type_: ColumnType, arguments: Mapping[str, Any]) -> pl.Expr:
    return any_of(
        [
            outside(column, literal(arguments[bound], type_))
            for bound, outside in _OUTSIDE.items()
            if arguments.get(bound) is not None
        ]
    )


def all_within(column: pl.Series, type_: ColumnType, arguments: Mapping[str, Any]) -> bool:
    """Whether the least and the greatest value prove that none is out of range. NaN is null by now."""
    exact = type_.family in (Family.INTEGER, Family.DECIMAL)
    if not exact and (type_.family is not Family.FLOAT or type_.width == 32):
        return False  # moments of years that Python does not have, bounds that 32 bits round
    extremes = [one for one in (column.min(), column.max()) if one is not None]
    return not any(
        outside(one, _value(arguments[bound], type_))
        for bound, outside in _OUTSIDE.items()
        if arguments.get(bound) is not None
        for one in extremes
    )


def any_of(conditions: list[pl.Expr]) -> pl.Expr:
    """Whether one holds; one that is null does not."""
    found = pl.lit(False)
    for condition in conditions:
        found = found | condition.fill_null(False)
    return found


def not_matching(column: pl.Expr, pattern: str) -> pl.Expr:
    return ~column.str.contains(rust_pattern(pattern))


_TOKEN = re.compile(r"\\x[0-9a-fA-F]{2}|\\.|.", re.DOTALL)
# Rust's own `\d`, `\w`, `\s` and `\b` know all of Unicode; those of contracts are ASCII's.
_ASCII = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\x0B\x0C\r "}


def rust_pattern(pattern: str) -> str:
    """A pattern of the common subset (`contracts/patterns.py`) as one of Rust's.

    Raises `Inexpressible` for one that Rust's engine has no words for, or refuses.
    """
    out, in_class = [], False
    for token in _TOKEN.findall(pattern):
        out.append(_said(token, in_class))
        if token in "[]":
            in_class = token == "["
    said = "".join(out)
    try:
        pl.Series([""]).str.contains(said)
    except pl.exceptions.ComputeError as problem:
        reason = str(problem).strip().splitlines()[0]
        raise Inexpressible(f"the pattern {pattern!r:.80} is refused here: {reason}") from None
    return said


def _said(token: str, in_class: bool) -> str:
    if not token.startswith("\\") or len(token) != 2:
        return token
    letter = token[1]
    if letter.lower() in _ASCII:
        listed = _ASCII[letter.lower()]
        if letter.isupper():
            return f"[^{listed}]"
        return listed if in_class else f"[{listed}]"
    if letter == "b":
        return r"(?-u:\b)"
    if letter == "B":
        raise Inexpressible(r"`\B` between bytes is not between characters")
    # Some escaped punctuation means something else to Rust: `\<` is the start of a word.
    return token if letter.isalnum() else f"\\x{ord(letter):02X}"
