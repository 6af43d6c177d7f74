"""A domain's own query that counts rows by a condition, as that condition in polars.

Belongs here: each construct whose meaning is the same in DuckDB and polars: a closed list, by what
sqlglot reads.
Does not belong here: which queries are one (`counting_queries.py`), the query in a batch
(`governance/audit/domain_rules/`), where a rule is decided (`streams/row_rules/`).

What is not on the list is asked of batches alone, with the reason. DuckDB and sqlglot bind `=`, `IS` and
`BETWEEN` differently tight; as these take no conditions here, what both read is the same.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import polars as pl

from shared_resources.contracts.model import Contract
from shared_resources.contracts.rules.counting_queries import (
    STUMBLES,
    counted_by,
    says_only,
    taken_by_duckdb,
)
from shared_resources.contracts.rules.expressions import Inexpressible, literal
from shared_resources.contracts.types import ColumnType, Family

if TYPE_CHECKING:
    from sqlglot import exp

_COUNT = ColumnType(Family.INTEGER)
_DIGITS = re.compile(r"[0-9]+(\.[0-9]+)?")
_MOST_DIGITS, _DIGITS_OF_BIGINT = 38, 19  # of a decimal in DuckDB
_EXPONENT = re.compile(r"[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]+")
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_MOMENTS: Mapping[Family, re.Pattern[str]] = {
    Family.DATE: re.compile(_DAY),
    Family.TIMESTAMP: re.compile(_DAY + r"( [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?)?"),
}
# Of these two values are one where their bytes are.
_HASHED = frozenset({Family.STRING, Family.INTEGER, Family.BOOLEAN, Family.DATE, Family.TIMESTAMP})


def row_condition(query: str, contract: Contract) -> pl.Expr:
    """The condition of `SELECT count(*) FROM batch WHERE …`, over a frame of the contract's columns, NaN
    being null. As in SQL it may be null, which counts no row.

    Raises `Inexpressible` for a query that single rows do not decide, or that polars might decide
    otherwise.
    """
    where, named = counted_by(query)
    condition = _Condition(contract, named).of(where)
    if not taken_by_duckdb(query, contract):
        raise Inexpressible("DuckDB does not take it")
    return condition


class _Condition:
    """Reads one condition. `named` is what its query calls the batch."""

    def __init__(self, contract: Contract, named: str) -> None:
        from sqlglot import exp

        self._named = named
        # DuckDB knows no upper and lower case in names.
        self._columns = {column.name.lower(): column for column in contract.columns}
        self._compared: Mapping[type, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
            exp.EQ: lambda one, other: one == other,
            exp.NEQ: lambda one, other: one != other,
            exp.GT: lambda one, other: one > other,
            exp.GTE: lambda one, other: one >= other,
            exp.LT: lambda one, other: one < other,
            exp.LTE: lambda one, other: one <= other,
        }
        self._conditions: Mapping[type, Callable[[Any], pl.Expr]] = {
            exp.Paren: lambda node: self.of(node.this),
            exp.And: lambda node: pl.all_horizontal(*map(self.of, node.flatten())),
            exp.Or: lambda node: pl.any_horizontal(*map(self.of, node.flatten())),
            exp.Not: lambda node: ~self.of(node.this),
            exp.Column: self._flag,
            exp.Is: self._is_null,
            exp.Between: self._between,
            exp.In: self._in,
            **dict.fromkeys(self._compared, self._compare),
        }
        self._best: Mapping[type, Callable[..., pl.Expr]] = {
            exp.Greatest: pl.max_horizontal,
            exp.Least: pl.min_horizontal,
        }

    def of(self, node: exp.Expr) -> pl.Expr:
        read = self._conditions.get(type(node))
        if read is None:
            raise _unknown(node)
        return read(node)

    # -- conditions --------------------------------------------------------------------------------

    def _flag(self, node: exp.Expr) -> pl.Expr:
        type_ = self._type(node)
        if type_ is None or type_.family is not Family.BOOLEAN:
            raise _unknown(node)
        return self._value(node, type_)

    def _compare(self, node: exp.Expr) -> pl.Expr:
        return self._compared[type(node)](*self._values([node.this, node.expression], node))

    def _is_null(self, node: exp.Expr) -> pl.Expr:
        from sqlglot import exp

        if type(node.expression) is not exp.Null:
            raise _unknown(node)
        [value] = self._values([node.this], node)
        return value.is_null()

    def _between(self, node: exp.Expr) -> pl.Expr:
        if not says_only(node, "this", "low", "high"):
            raise _unknown(node)
        value, low, high = self._values([node.this, node.args["low"], node.args["high"]], node)
        return (value >= low) & (value <= high)

    def _in(self, node: exp.Expr) -> pl.Expr:
        if not says_only(node, "this", "expressions") or not node.expressions:
            raise _unknown(node)
        value, *listed = self._values([node.this, *node.expressions], node)
        return pl.any_horizontal(*[value == one for one in listed])

    # -- values ------------------------------------------------------------------------------------

    def _values(self, nodes: Sequence[exp.Expr], of: exp.Expr) -> list[pl.Expr]:
        """Values of one type, at least one of which is no literal."""
        type_ = self._common(nodes)
        if type_ is None:
            raise Inexpressible(f"`{_said(of)}` reads no column")
        return [self._value(node, type_) for node in nodes]

    def _common(self, nodes: Sequence[exp.Expr]) -> ColumnType | None:
        types = {type_ for type_ in map(self._type, nodes) if type_ is not None}
        if len(types) > 1 and all(type_.family is Family.INTEGER for type_ in types):
            return _COUNT
        if len(types) > 1:
            compared = ", ".join(sorted(map(str, types)))
            raise Inexpressible(f"`{_said(nodes[0])}` is compared with another type: {compared}")
        return next(iter(types), None)

    def _type(self, node: exp.Expr) -> ColumnType | None:
        """None of a literal, which is of the type that it is compared with."""
        from sqlglot import exp

        if type(node) is exp.Paren:
            return self._type(node.this)
        if type(node) is exp.Column:
            return self._column(node)[1]
        if type(node) in self._best and says_only(node, "this", "expressions", "ignore_nulls"):
            return self._common([node.this, *node.expressions])
        if type(node) is exp.Length:
            return _COUNT
        return None

    def _value(self, node: exp.Expr, type_: ColumnType) -> pl.Expr:
        from sqlglot import exp

        if type(node) is exp.Paren:
            return self._value(node.this, type_)
        if type(node) is exp.Column:
            name, own = self._column(node)
            # A literal beyond 32 bits makes DuckDB compare with 64.
            narrow = own.family is Family.INTEGER and own.width == 32
            return pl.col(name).cast(pl.Int64) if narrow else pl.col(name)
        if type(node) in self._best:
            # Both leave nulls out, and are null where nothing is left.
            found = [self._value(one, type_) for one in (node.this, *node.expressions)]
            return self._best[type(node)](found)
        if type(node) is exp.Length:
            return self._distinct(node)
        return _constant(node, type_)

    def _column(self, node: exp.Expr) -> tuple[str, ColumnType]:
        from sqlglot import exp

        known = type(node.this) is exp.Identifier and says_only(node, "this", "table")
        column = self._columns.get(node.name.lower()) if known else None
        if column is None or node.text("table").lower() not in ("", self._named):
            raise Inexpressible(f"`{_said(node)}` is no column of the product's")
        return column.name, column.type

    def _distinct(self, node: exp.Expr) -> pl.Expr:
        """`len(list_distinct([…]))`: how many different values there are, nulls left out."""
        from sqlglot import exp

        listed = node.this.this if type(node.this) is exp.ArrayDistinct else None
        if type(listed) is not exp.Array or not (
            says_only(node, "this") and says_only(node.this, "this")
        ):
            raise _unknown(node)
        columns = listed.expressions
        if not columns or any(type(one) is not exp.Column for one in columns):
            raise _unknown(node)
        type_ = self._common(columns)
        if type_ is None or type_.family not in _HASHED:
            raise Inexpressible(f"`{_said(node)}` is of {type_}")
        values = pl.concat_list([self._value(one, type_) for one in columns])
        return values.list.drop_nulls().list.n_unique().cast(pl.Int64)


def _constant(node: exp.Expr, type_: ColumnType) -> pl.Expr:
    """A literal, of exactly the value that DuckDB compares with."""
    from sqlglot import exp

    text, sign, cast = node, "", None
    if type(node) is exp.Neg:
        text, sign = node.this, "-"
    elif type(node) is exp.Cast and says_only(node, "this", "to"):
        text, cast = node.this, node.to
    if type(node) is exp.Boolean and type_.family is Family.BOOLEAN:
        return literal(node.this, type_)
    if type(text) is not exp.Literal:
        raise _unknown(node)
    if text.is_string and not sign:
        return _of_text(node, text.name, type_, cast)
    if not text.is_string and cast is None:
        return _of_number(node, sign + text.name, type_)
    raise _unknown(node)


def _of_text(node: exp.Expr, text: str, type_: ColumnType, cast: exp.DataType | None) -> pl.Expr:
    family = type_.family
    if cast is None and family is Family.STRING:
        return literal(text, type_)
    names = {Family.DATE: ("date",), Family.TIMESTAMP: ("timestamp", "timestampntz")}
    written = _MOMENTS.get(family)
    if written is None or (cast is not None and not cast.is_type(*names[family])):
        raise Inexpressible(f"`{_said(node)}` is compared with {type_}")
    try:
        if written.fullmatch(text):
            return literal(text, type_)
    except ValueError:
        pass  # no such day
    raise Inexpressible(f"`{_said(node)}` is not written as 2017-01-31 or 2017-01-31 23:59:59")


def _of_number(node: exp.Expr, text: str, type_: ColumnType) -> pl.Expr:
    digits = text.removeprefix("-")
    family, double = type_.family, type_.family is Family.FLOAT and type_.width == 64
    if _EXPONENT.fullmatch(digits) and double:
        return literal(text, type_)
    if _DIGITS.fullmatch(digits):
        try:
            number = Decimal(text)
            if family is Family.INTEGER and number == int(number) and "." not in digits:
                struct.pack("q", int(number))
                return literal(int(number), _COUNT)
            if family is Family.DECIMAL and _exactly_compared(digits, number, type_):
                return literal(number, type_)
            # So that what DuckDB divides, and what comes of it, is exact or rounded once.
            if double and len(digits) <= 15:
                return literal(text, type_)
            if family is Family.FLOAT and len(digits) <= 7 and _in_32_bits(number):
                return literal(text, type_)
        except (InvalidOperation, OverflowError, struct.error):
            pass
    raise Inexpressible(f"`{_said(node)}` is no exact value of {type_}")


def _exactly_compared(digits: str, number: Decimal, type_: ColumnType) -> bool:
    """Whether the column's type has room for the number, and DuckDB's decimals for both: where they have
    not, it compares doubles, or refuses the column's own values."""
    whole, _, fraction = digits.partition(".")
    room = type_.precision - type_.scale
    # To DuckDB a number without a point may be a BIGINT.
    places = max(room, len(whole) if fraction else _DIGITS_OF_BIGINT)
    compared = places + max(type_.scale, len(fraction))
    return abs(number) < 10**room and compared <= _MOST_DIGITS


def _in_32_bits(number: Decimal) -> bool:
    return Decimal(struct.unpack("<f", struct.pack("<f", float(number)))[0]) == number


def _said(node: exp.Expr) -> str:
    """A part of the query, for people."""
    try:
        text = node.sql(dialect="duckdb", comments=False)
    except STUMBLES:
        return "a part of it"
    return text if len(text) <= 60 else f"{text[:57]}…"


def _unknown(node: exp.Expr) -> Inexpressible:
    return Inexpressible(f"`{_said(node)}` is not known to mean the same there")
