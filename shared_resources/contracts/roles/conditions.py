"""Conditions on rows: from the text of a contract, and as SQL.

Belongs here: the restricted language: comparisons of a column with a value, IN, BETWEEN, IS NULL,
LIKE 'text%', AND, OR, NOT. So little, because each of them means the same in every engine.
Does not belong here: the types of the conditions (`model.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from shared_resources.contracts.roles.model import (
    Among,
    Any_,
    Comparison,
    Condition,
    Every,
    IsNull,
    Literal,
    Not,
    RowFilter,
    StartsWith,
    columns_of,
)
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.sql import quote_identifier, quote_literal

if TYPE_CHECKING:
    from sqlglot import exp

LONGEST = 4_000
# Of each operator the one that holds where it does not, of values that are not null.
OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_REMEDY = "compare columns with values: =, <>, <, <=, >, >=, IN, BETWEEN, IS NULL, LIKE 'text%'"


class InvalidCondition(ValueError):
    """The text is no condition that every engine understands alike; `remedy` says what to write."""

    def __init__(self, problem: str, remedy: str = _REMEDY) -> None:
        super().__init__(problem)
        self.remedy = remedy


def parse_condition(text: str, types: Mapping[str, ColumnType]) -> RowFilter:
    """The condition in `text` on columns of these types. Raises `InvalidCondition`."""
    import sqlglot  # here: few contracts have a condition
    from sqlglot.errors import SqlglotError

    if len(text) > LONGEST:
        raise InvalidCondition(f"has {len(text):,} characters", f"use at most {LONGEST:,}")
    try:
        parsed = sqlglot.parse(text, dialect="duckdb")
    except (SqlglotError, RecursionError) as problem:
        raise InvalidCondition("is no condition") from problem
    if len(parsed) != 1 or parsed[0] is None:
        raise InvalidCondition("is not one condition")
    try:
        condition = _Reader(types).condition(parsed[0])
    except RecursionError as problem:
        raise InvalidCondition("is nested too deeply", "write a shorter one") from problem
    return RowFilter(text, condition, {name: types[name] for name in sorted(columns_of(condition))})


@dataclass(frozen=True)
class Words:
    """What engines say differently: a value of a column's type, and that a text begins with another."""

    literal: Callable[[Literal, ColumnType], str]
    begins: Callable[[str, str], str]


def condition_sql(
    condition: Condition, types: Mapping[str, ColumnType], words: Words | None = None
) -> str:
    """The condition as SQL, in parentheses; DuckDB's without `words`."""
    words = words or _DUCKDB
    match condition:
        case Comparison(column, operator, value):
            sql = f"{quote_identifier(column)} {operator} {words.literal(value, types[column])}"
        case Among(column, values):
            listed = ", ".join(words.literal(value, types[column]) for value in values)
            sql = f"{quote_identifier(column)} IN ({listed})"
        case IsNull(column):
            sql = f"{quote_identifier(column)} IS NULL"
        case StartsWith(column, text):
            sql = words.begins(quote_identifier(column), text)
        case Not(inner):
            sql = f"NOT {condition_sql(inner, types, words)}"
        case Every(conditions):
            sql = " AND ".join(condition_sql(one, types, words) for one in conditions)
        case Any_(conditions):
            sql = " OR ".join(condition_sql(one, types, words) for one in conditions)
    return f"({sql})"


_DUCKDB = Words(
    lambda value, type_: f"CAST({quote_literal(str(value))} AS {type_})",
    lambda column, text: f"starts_with({column}, {quote_literal(text)})",
)


class _Reader:
    """Walks what sqlglot has parsed; whatever is not named here is refused."""

    def __init__(self, types: Mapping[str, ColumnType]) -> None:
        self._types = types

    def condition(self, node: Any) -> Condition:
        from sqlglot import exp

        match node:
            case exp.Paren():
                return self.condition(node.this)
            case exp.And():
                return Every((self.condition(node.left), self.condition(node.right)))
            case exp.Or():
                return Any_((self.condition(node.left), self.condition(node.right)))
            case exp.Not():
                return Not(self.condition(node.this))
            case exp.EQ() | exp.NEQ() | exp.LT() | exp.LTE() | exp.GT() | exp.GTE():
                return self._comparison(node)
            case exp.In():
                return self._among(node)
            case exp.Between():
                column, type_ = self._column(node.this)
                low, high = (self._value(node.args[at], column, type_) for at in ("low", "high"))
                return Every((Comparison(column, ">=", low), Comparison(column, "<=", high)))
            case exp.Is():
                column, _ = self._column(node.this)
                if not isinstance(node.expression, exp.Null):
                    raise InvalidCondition(f"has `{node.sql('duckdb')}`")
                return IsNull(column)
            case exp.Like():
                return self._prefix(node)
            case exp.Column():
                column, type_ = self._column(node)
                if type_.family is not Family.BOOLEAN:
                    raise InvalidCondition(f"has {column!r} alone, which is a {type_.family}")
                return Comparison(column, "=", True)
        raise InvalidCondition(f"has `{node.sql('duckdb')}`")

    def _comparison(self, node: exp.Binary) -> Comparison:
        from sqlglot import exp

        operators = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">"}
        operator = operators.get(type(node), ">=")
        left, right = node.left, node.right
        if not isinstance(left, exp.Column) and isinstance(right, exp.Column):
            left, right = right, left
            operator = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(operator, operator)
        column, type_ = self._column(left)
        if type_.family is Family.BOOLEAN and operator not in ("=", "<>"):
            raise InvalidCondition(f"orders {column!r}, which is true or false")
        return Comparison(column, operator, self._value(right, column, type_))

    def _among(self, node: exp.In) -> Among:
        column, type_ = self._column(node.this)
        values = tuple(self._value(one, column, type_) for one in node.expressions)
        if not values or set(node.args) - {"this", "expressions"} - _empty_arguments(node):
            raise InvalidCondition(f"has `{node.sql('duckdb')}`")
        return Among(column, values)

    def _prefix(self, node: exp.Like) -> StartsWith:
        column, type_ = self._column(node.this)
        pattern = node.expression
        text = pattern.this if getattr(pattern, "is_string", False) else ""
        plain = text[:-1]
        if type_.family is not Family.STRING or not text.endswith("%") or not plain:
            raise InvalidCondition(f"has `{node.sql('duckdb')}`")
        if any(sign in plain for sign in "%_\\\0"):
            raise InvalidCondition(f"has the pattern {text!r}", "write a text and one % at its end")
        return StartsWith(column, plain)

    def _column(self, node: Any) -> tuple[str, ColumnType]:
        from sqlglot import exp

        if not isinstance(node, exp.Column) or node.table:
            raise InvalidCondition(f"has `{node.sql('duckdb')}` where a column is to stand")
        if node.name not in self._types:
            known = ", ".join(sorted(self._types))
            raise InvalidCondition(f"names the column {node.name!r}", f"there are {known}")
        return node.name, self._types[node.name]

    def _value(self, node: Any, column: str, type_: ColumnType) -> Literal:
        from sqlglot import exp

        sign = ""
        if isinstance(node, exp.Neg):
            sign, node = "-", node.this
        if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal):
            node = node.this  # DATE '2024-01-01': it is read as the column's type all the same
        if isinstance(node, exp.Boolean) and type_.family is Family.BOOLEAN and not sign:
            return bool(node.this)
        if isinstance(node, exp.Literal):
            value = _typed(sign + str(node.this), bool(node.is_string), type_)
            if value is not None:
                return value
        raise InvalidCondition(
            f"compares {column!r}, a {type_.family}, with `{node.sql('duckdb')}`",
            f"compare it with a {type_.family}",
        )


def _empty_arguments(node: exp.Expression) -> set[str]:
    return {name for name, value in node.args.items() if not value}


def _typed(text: str, quoted: bool, type_: ColumnType) -> Literal | None:
    """The literal as a value of the type; None when it is none of it, exactly."""
    try:
        match type_.family:
            case Family.STRING:
                return text if quoted and "\0" not in text else None
            case Family.INTEGER:
                whole = int(text) if not quoted else None
                fits = whole is not None and -(1 << (type_.width - 1)) <= whole < 1 << (
                    type_.width - 1
                )
                return whole if fits else None
            case Family.FLOAT:
                number = float(text) if not quoted else math.nan
                return number if math.isfinite(number) else None
            case Family.DECIMAL:
                return _decimal(text, type_) if not quoted else None
            case Family.DATE:
                return date.fromisoformat(text) if quoted else None
            case Family.TIMESTAMP:
                moment = datetime.fromisoformat(text) if quoted else None
                return moment if moment and moment.tzinfo is None else None
            case Family.TIMESTAMP_TZ:
                moment = datetime.fromisoformat(text) if quoted else None
                return moment if moment and moment.tzinfo is not None else None
            case Family.BOOLEAN:
                return None
    except (ValueError, InvalidOperation):
        return None


def _decimal(text: str, type_: ColumnType) -> Decimal | None:
    number = Decimal(text)
    digits = number.as_tuple()
    if not isinstance(digits.exponent, int) or -digits.exponent > type_.scale:
        return None
    return number if number.copy_abs() < Decimal(10) ** (type_.precision - type_.scale) else None
