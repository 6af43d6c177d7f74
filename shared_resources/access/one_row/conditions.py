"""Conditions on a row's values, as Python: true, false, or None where SQL says null.

Belongs here: each condition of the restricted language on Python's values.
Does not belong here: reading a condition (`contracts/roles/conditions.py`), its SQL.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from shared_resources.contracts.roles.model import (
    Among,
    Any_,
    Comparison,
    Condition,
    Every,
    IsNull,
    Literal,
    Not,
    StartsWith,
)
from shared_resources.contracts.types import ColumnType, Family

# Gives a column's value of the row at hand.
Get = Callable[[str], Any]
Holds = Callable[[Get], bool | None]

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compiled(condition: Condition, types: Mapping[str, ColumnType]) -> Holds:
    """The condition as a function of what gives a row's values; `types` are those of its columns."""
    match condition:
        case Comparison(column, sign, value):
            return _comparison(column, _OPERATORS[sign], value, types[column])
        case Among(column, values):
            return _among(column, values, types[column])
        case IsNull(column):
            return lambda get: get(column) is None
        case StartsWith(column, text):
            return lambda get: None if (value := get(column)) is None else value.startswith(text)
        case Not(inner):
            holds = compiled(inner, types)
            return lambda get: None if (it := holds(get)) is None else not it
        case Every(conditions):
            return _all([compiled(one, types) for one in conditions], stops_at=False)
        case Any_(conditions):
            return _all([compiled(one, types) for one in conditions], stops_at=True)


def _comparison(
    column: str, compare: Callable[[Any, Any], bool], value: Literal, type_: ColumnType
) -> Holds:
    ordered = _ordered(type_)
    bound = ordered(value)

    def holds(get: Get) -> bool | None:
        found = get(column)
        return None if found is None else compare(ordered(found), bound)

    return holds


def _among(column: str, values: tuple[Literal, ...], type_: ColumnType) -> Holds:
    ordered = _ordered(type_)
    known = {ordered(value) for value in values}

    def holds(get: Get) -> bool | None:
        found = get(column)
        return None if found is None else ordered(found) in known

    return holds


def _ordered(type_: ColumnType) -> Callable[[Any], Any]:
    """Values as they are compared: to DuckDB one NaN is as large as any other, and larger than all else;
    a literal has the digits that its column has."""
    if type_.family is not Family.FLOAT:
        return lambda value: value
    if type_.width == 32:
        from numpy import float32

        return lambda value: _with_nan(float(float32(value)))
    return lambda value: _with_nan(float(value))


def _with_nan(value: float) -> tuple[bool, float]:
    return (True, 0.0) if math.isnan(value) else (False, value)


def _all(each: list[Holds], *, stops_at: bool) -> Holds:
    """SQL's AND ends at what is false, its OR at what is true; else null where any of them is."""

    def holds(get: Get) -> bool | None:
        result: bool | None = not stops_at
        for one in each:
            it = one(get)
            if it is stops_at:
                return stops_at
            if it is None:
                result = None
        return result

    return holds
